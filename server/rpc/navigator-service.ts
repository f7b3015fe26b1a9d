/** NavigatorService: what people ask, for the CLI and for grpcurl. */
import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import type { NavigatorServiceServer } from '../../proto/navigator/v1/navigator.ts';
import type * as wire from '../../proto/navigator/v1/navigator.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { ClusterLoop } from '../cluster-loop.ts';
import type { EventFeed } from '../events.ts';
import type { Loop } from '../loop.ts';
import { parseManifest } from '../manifest/parse.ts';
import type { ClusterId } from '../model/cluster.ts';
import { holdNames, type Hold } from '../model/hold.ts';
import type { Ledger } from '../model/ledger.ts';
import { isLive, type Permit } from '../model/permit.ts';
import { approve, deny, revoke, type Person } from '../coordination/rulings.ts';
import { approvable } from '../reconcile/holds.ts';
import type { AccessScope, Caller } from './access.ts';
import { Guard, type GuardPorts, type Method } from './guard.ts';
import { page } from './page.ts';
import { clusterView, memberViews } from './views.ts';
import { callError } from './call-error.ts';
import { watchHandler } from './watch.ts';
import { holdToWire, permitToWire } from './wire.ts';

export interface NavigatorServicePorts extends GuardPorts {
  readonly events: EventFeed;
  readonly wallMs: () => number;
  /** With what people write clusters instead, such as kubectl; absent: by ApplyCluster and DeleteCluster. */
  readonly writtenBy?: string;
}

interface Named {
  readonly cluster: string;
  readonly namespace: string;
}

interface Ruling {
  readonly who: string;
  readonly why: string;
}

/** A call of one method, by somebody who is known. */
type Answer<Q, A> = (request: Q, caller: Caller) => A | Promise<A>;

/** The implementation of every call of NavigatorService. */
export function navigatorHandlers(ports: NavigatorServicePorts): NavigatorServiceServer {
  const { loop } = ports;
  const guard = new Guard(ports);
  const unary =
    (method: Method) =>
    <Q, A>(answer: Answer<Q, A>): handleUnaryCall<Q, A> =>
      unaryHandler(ports.log, async ({ request, metadata }) => answer(request, await guard.callerOf(metadata, method)));
  /** A call about one cluster, once it is known that its caller may make it. */
  const onCluster =
    (method: Method) =>
    <Q extends Named, A>(answer: (cluster: ClusterLoop, request: Q, caller: Caller) => A | Promise<A>) =>
      unary(method)(async (request: Q, caller): Promise<A> => {
        return answer(await guard.cluster(caller, method, idOf(request)), request, caller);
      });
  return {
    listClusters: unary('listClusters')(async ({ pageSize, pageToken }: wire.ListClustersRequest, caller) => {
      const clusters = await guard.visible(caller, loop.list(), scopeOf);
      const { items, nextPageToken } = page(clusters, pageSize, pageToken, (cluster) => cluster.key);
      return { clusters: items.map(clusterView), nextPageToken };
    }),
    getCluster: onCluster('getCluster')((cluster, _: wire.GetClusterRequest) => {
      return { cluster: clusterView(cluster), manifest: cluster.ledger.manifest };
    }),
    listMembers: onCluster('listMembers')((cluster, request: wire.ListMembersRequest) => {
      const views = memberViews(cluster);
      const { items, nextPageToken } = page(views, request.pageSize, request.pageToken, (member) => member.name);
      return { members: [...items], nextPageToken };
    }),
    getLeader: onCluster('getLeader')((cluster, _: wire.GetLeaderRequest) => {
      const { leader, term } = cluster.ledger.leadership;
      return { leader, term: BigInt(term) };
    }),
    listPermits: onCluster('listPermits')((cluster, request: wire.ListPermitsRequest) => {
      const shown = cluster.ledger.permits.filter(
        (permit) => request.all || isLive(permit) || permit.state === 'denied',
      );
      const { items, nextPageToken } = page(shown, request.pageSize, request.pageToken, (permit) => permit.id);
      return { permits: items.map((permit) => permitView(cluster, permit)), nextPageToken };
    }),
    why: onCluster('why')((cluster, request: wire.WhyRequest) => why(cluster, request.member)),
    watchEvents: watchHandler(ports, guard),
    applyCluster: unary('applyCluster')(({ manifest }: wire.ApplyClusterRequest, caller) =>
      apply(loop, manifest, async (spec) => {
        await guard.demand(caller, 'applyCluster', spec.id, spec.application);
        refuseElsewhere(ports);
      }),
    ),
    deleteCluster: onCluster('deleteCluster')((cluster, _: wire.DeleteClusterRequest) => remove(cluster, ports)),
    pause: onCluster('pause')((cluster, _: wire.PauseRequest) => setPaused(cluster, true)),
    resume: onCluster('resume')((cluster, _: wire.ResumeRequest) => setPaused(cluster, false)),
    approvePermit: onCluster('approvePermit')((cluster, request: wire.ApprovePermitRequest, caller) =>
      rule(cluster, personOf(ports, request, caller), { id: request.permit, rule: approveShown(request.holds) }),
    ),
    denyPermit: onCluster('denyPermit')((cluster, request: wire.DenyPermitRequest, caller) =>
      rule(cluster, personOf(ports, request, caller), { id: request.permit, rule: deny }),
    ),
    revokePermit: onCluster('revokePermit')((cluster, request: wire.RevokePermitRequest, caller) =>
      rule(cluster, personOf(ports, request, caller), { id: request.permit, rule: revoke }),
    ),
    stepDown: onCluster('stepDown')(async (cluster, _: wire.StepDownRequest) => {
      await cluster.change((ledger) => {
        if (ledger.leadership.leader === '') throw new NavigatorError('refused', 'nobody leads');
        return { ...ledger, leadership: { term: ledger.leadership.term, leader: '', incarnation: '' } };
      });
      return {};
    }),
  };
}

function scopeOf({ ledger }: ClusterLoop): AccessScope {
  return { application: ledger.spec.application, ...ledger.spec.id };
}

function idOf({ cluster, namespace }: Named): ClusterId {
  if (cluster === '') throw new NavigatorError('invalid', 'cluster is missing', { advice: ['name the cluster'] });
  return { namespace: namespace === '' ? 'default' : namespace, name: cluster };
}

function permitView(cluster: ClusterLoop, permit: Permit): ReturnType<typeof permitToWire> {
  const holds = permit.state === 'queued' ? (cluster.snapshot?.plan.holds ?? []) : [];
  return permitToWire(
    permit,
    holds.filter((hold) => hold.member === permit.member),
  );
}

function why(cluster: ClusterLoop, member: string): wire.WhyResponse {
  if (member !== '' && cluster.ledger.members[member] === undefined) {
    const names = Object.keys(cluster.ledger.members).sort().join(', ');
    throw new NavigatorError('not_found', `cluster ${cluster.key} has no member ${member}`, {
      advice: [`there are: ${names}`],
    });
  }
  const concerns = (name: string): boolean => member === '' || name === member || name === '';
  const plan = cluster.snapshot?.plan;
  return {
    holds: (plan?.holds ?? []).filter((hold) => concerns(hold.member)).map(holdToWire),
    doing: (plan?.doing ?? []).filter((line) => concerns(line.member)).map((line) => `${line.member}: ${line.message}`),
  };
}

async function remove(cluster: ClusterLoop, ports: NavigatorServicePorts): Promise<wire.DeleteClusterResponse> {
  refuseElsewhere(ports);
  await cluster.change(deleted);
  return {};
}

/** Where a cluster is an object of its own, what is changed here would be changed back by what that says. */
function refuseElsewhere({ writtenBy }: NavigatorServicePorts): void {
  if (writtenBy === undefined) return;
  throw new NavigatorError('unsupported', `clusters are written by ${writtenBy} here`, {
    advice: [`${writtenBy} apply -f FILE, ${writtenBy} delete esc NAME`],
  });
}

async function apply(
  loop: Loop,
  manifest: string,
  demand: (spec: Ledger['spec']) => Promise<void>,
): Promise<wire.ApplyClusterResponse> {
  const { spec, text, warnings } = await parseFor(loop, manifest, demand);
  const outcome = await loop.apply(spec, text);
  return { cluster: clusterView(loop.get(spec.id)), outcome, warnings: [...warnings] };
}

/**
 * Rules about changes need the manifest that stands now, and its name stands in the new one. What is wrong with a change may
 * tell what stands now: whether somebody may make it is demanded first.
 */
async function parseFor(
  loop: Loop,
  manifest: string,
  demand: (spec: Ledger['spec']) => Promise<void>,
): Promise<{ spec: Ledger['spec']; text: string; warnings: readonly string[] }> {
  const fresh = parseManifest(manifest);
  await demand(fresh.spec);
  const present = loop.manifestOf(fresh.spec.id);
  const { spec, warnings } = present === undefined ? fresh : parseManifest(manifest, present);
  return { spec, text: manifest, warnings };
}

function deleted(ledger: Ledger): Ledger {
  if (ledger.spec.deletionProtected) {
    throw new NavigatorError(
      'refused',
      'deletion_is_protected: the cluster carries navigator.jetstack.io/deletion-protection',
      {
        advice: ['apply it with that annotation removed or "false", then delete it again'],
      },
    );
  }
  return ledger.deleting ? ledger : { ...ledger, deleting: true };
}

async function setPaused(cluster: ClusterLoop, paused: boolean): Promise<{ cluster: wire.Cluster }> {
  await cluster.change((ledger) => {
    if (!paused && ledger.spec.paused) {
      throw new NavigatorError('refused', 'the manifest itself says spec.paused: true', {
        advice: ['apply it without that line'],
      });
    }
    return ledger.paused === paused ? ledger : { ...ledger, paused };
  });
  return { cluster: clusterView(cluster) };
}

type Rule = (ledger: Ledger, id: string, person: Person, holds: readonly Hold[]) => Ledger;

/** What a person was shown may be gone a moment later: it is what they name that they take upon themselves. */
function approveShown(names: readonly string[]): Rule {
  return (ledger, id, person, now) => {
    const shown = names.length === 0 ? now : names.map(knownHold);
    const isQueued = ledger.permits.some((permit) => permit.id === id && permit.state === 'queued');
    if (isQueued && approvable(shown).length === 0) {
      const held = shown.map((hold) => hold.name).join(', ') || 'nothing';
      throw new NavigatorError(
        'refused',
        `permit ${id} is held by ${held}, and none of that can be approved by a person`,
        {
          advice: ['`navigator why CLUSTER` says what is waited for', 'docs/holds.md says which holds can be approved'],
        },
      );
    }
    return approve(ledger, id, person, shown);
  };
}

function knownHold(name: string): Hold {
  const known = holdNames.find((candidate) => candidate === name);
  if (known === undefined) throw new NavigatorError('invalid', `holds: there is no hold "${name}"`);
  return { name: known, member: '', message: '' };
}

/** Who rules is who is known to have called, whoever they say that they are. */
function personOf({ wallMs }: NavigatorServicePorts, { who, why: reason }: Ruling, caller: Caller): Person {
  return { who: caller.who ?? who, why: reason, wallMs: wallMs() };
}

async function rule(
  cluster: ClusterLoop,
  person: Person,
  ruling: { readonly id: string; readonly rule: Rule },
): Promise<{ permit: ReturnType<typeof permitToWire> }> {
  const { id } = ruling;
  const member = cluster.ledger.permits.find((candidate) => candidate.id === id)?.member;
  const shown = cluster.snapshot?.plan.holds.filter((hold) => hold.member === member) ?? [];
  const ledger = await cluster.change((present) => ruling.rule(present, id, person, shown));
  const permit = ledger.permits.find((candidate) => candidate.id === id);
  if (permit === undefined) throw new NavigatorError('not_found', `there is no permit ${id}`);
  return { permit: permitView(cluster, permit) };
}

function unaryHandler<Q, A>(log: Logger, answer: (call: ServerUnaryCall<Q, A>) => Promise<A>): handleUnaryCall<Q, A> {
  return (call, callback) => {
    answer(call)
      .then((response) => callback(null, response))
      .catch((thrown: unknown) => callback(callError(log, thrown)));
  };
}
