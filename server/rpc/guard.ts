/** What people need to be allowed for each call of NavigatorService, and the one place where that is asked. */
import type { Metadata } from '@grpc/grpc-js';
import type { NavigatorServiceService } from '../../proto/navigator/v1/navigator.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { ClusterLoop } from '../cluster-loop.ts';
import type { Loop } from '../loop.ts';
import { clusterKey, type ClusterId } from '../model/cluster.ts';
import { isRefusal, refusal, type Access, type AccessScope, type AccessVerb, type Caller } from './access.ts';
import { bearer } from './bearer.ts';
import type { Refusals } from './refusals.ts';

export type Method = keyof typeof NavigatorServiceService;

/** The verb on the cluster's own resource that each method needs. A method that is not here cannot be served. */
export const verbs: Readonly<Record<Method, AccessVerb | 'create or update'>> = {
  listClusters: 'list',
  getCluster: 'get',
  listMembers: 'get',
  getLeader: 'get',
  listPermits: 'get',
  why: 'get',
  // Of one cluster; of all: what they may list.
  watchEvents: 'get',
  applyCluster: 'create or update',
  deleteCluster: 'delete',
  pause: 'update',
  resume: 'update',
  approvePermit: 'update',
  denyPermit: 'update',
  revokePermit: 'update',
  stepDown: 'update',
};

export interface GuardPorts {
  readonly loop: Loop;
  readonly access: Access;
  readonly refusals: Refusals;
  readonly log: Logger;
}

const everywhere = { namespace: '', name: '' };
/** Of a cluster that is not there, somebody must be allowed to see the kind that most are of, to be told so. */
const usual = 'elasticsearch';

/** Asks of every call who makes it and whether they may. */
export class Guard {
  readonly #ports: GuardPorts;

  constructor(ports: GuardPorts) {
    this.#ports = ports;
  }

  /** Throws `unauthenticated` or `forbidden`. */
  async callerOf(metadata: Metadata, method: Method): Promise<Caller> {
    const caller = await this.#ports.access.callerOf(bearer(metadata));
    if (!isRefusal(caller)) return caller;
    this.#ports.refusals.add('person', caller);
    this.#ports.log.warn({ reason: caller.refused, method }, 'a person is refused');
    const advice = ['the call needs `authorization: Bearer` with a token of Kubernetes'];
    throw new NavigatorError(caller.code, caller.message, { advice });
  }

  /** The cluster, where the caller may do this to it. Throws `forbidden`, whether it is there or not. */
  async cluster(caller: Caller, method: Method, id: ClusterId): Promise<ClusterLoop> {
    await this.demand(caller, method, id);
    const found = this.#ports.loop.find(id);
    if (found !== undefined) return found;
    // Which others there are, is told to those who may see them all.
    if (await this.#mayList(caller, { application: usual, ...everywhere })) return this.#ports.loop.get(id);
    throw new NavigatorError('not_found', `there is no cluster ${clusterKey(id)}`);
  }

  /**
   * Throws `forbidden` where the caller may not do this to the cluster. `application` is that of one that is to be made: one
   * that is there has its own.
   */
  async demand(caller: Caller, method: Method, id: ClusterId, application = usual): Promise<void> {
    const { access, refusals, log, loop } = this.#ports;
    const found = loop.find(id);
    const scope = { application: found?.ledger.spec.application ?? application, ...id };
    const verb = verbOf(method, found !== undefined);
    const cluster = clusterKey(id);
    if (!(await access.may(caller, verb, scope))) {
      const message = `${caller.who ?? 'you'} may not ${verb} the ${scope.application} cluster ${cluster}`;
      const refused = refusal('not_allowed', message);
      refusals.add('person', refused);
      log.warn({ reason: refused.refused, method, who: caller.who, verb, cluster }, 'a person is refused');
      throw new NavigatorError(refused.code, message, { advice: ['ask whoever grants rights on clusters for it'] });
    }
    if (verb !== 'get') log.info({ method, who: caller.who, cluster }, 'a person changes a cluster');
  }

  /** Whether the caller may hear of what happens to a cluster, `namespace/name`, that may be gone by now. */
  mayHear(caller: Caller, cluster: string): Promise<boolean> {
    const [namespace = '', name = ''] = cluster.split('/');
    const found = this.#ports.loop.find({ namespace, name });
    return this.#mayListIn(caller, found?.ledger.spec.application ?? usual, namespace);
  }

  /** Those of the clusters that the caller may list. */
  async visible<T>(
    caller: Caller,
    clusters: readonly T[],
    scopeOf: (cluster: T) => AccessScope,
  ): Promise<readonly T[]> {
    const allowed = new Map<string, Promise<boolean>>();
    const mayNamespace = ({ application, namespace }: AccessScope): Promise<boolean> => {
      const key = `${application} ${namespace}`;
      const known = allowed.get(key) ?? this.#mayListIn(caller, application, namespace);
      allowed.set(key, known);
      return known;
    };
    const seen = await Promise.all(clusters.map((cluster) => mayNamespace(scopeOf(cluster))));
    return clusters.filter((_, at) => seen[at]);
  }

  async #mayListIn(caller: Caller, application: string, namespace: string): Promise<boolean> {
    if (await this.#mayList(caller, { application, ...everywhere })) return true;
    return this.#mayList(caller, { application, namespace, name: '' });
  }

  #mayList(caller: Caller, scope: AccessScope): Promise<boolean> {
    return this.#ports.access.may(caller, 'list', scope);
  }
}

function verbOf(method: Method, isThere: boolean): AccessVerb {
  const verb = verbs[method];
  if (verb !== 'create or update') return verb;
  return isThere ? 'update' : 'create';
}
