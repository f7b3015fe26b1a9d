/**
 * One Secret a Couchbase cluster, which its pods mount: the administrator's credentials, the passwords of users, and the
 * certificate of its nodes. The Secrets that people name are read for it and never changed. Pods read nothing else, and ask
 * Kubernetes for nothing: see docs/decisions/0057-the-server-reads-secrets-for-pods.md.
 */
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { same } from '../../../shared/same.ts';
import { kinds, labels } from '../../kubernetes/kinds.ts';
import type { KubeObject, KubeObjects } from '../../kubernetes/objects.ts';
import { clusterKey, type ClusterSpec } from '../../model/cluster.ts';
import type { Ledger } from '../../model/ledger.ts';
import {
  credentialsIn,
  freshAdministrator,
  rotated,
  rotationId,
  type Administrator,
  type Credentials,
} from '../administrator.ts';
import { isDue, nodeAuthority, nodeCertificate } from '../node-certificates.ts';
import { credentialsName, secretKeys } from './databases.ts';
import type { Owner } from './desired.ts';
import { labelsOf, ownedBy, pilotSecretName, poolName } from './names.ts';

/** How long kubelets may take to bring what a Secret says to every pod. */
const spreadMs = 120_000;

type Texts = Readonly<Record<string, string>>;

/** For whom and when. */
export interface SecretsOf {
  readonly cluster: ClusterSpec;
  readonly ledger: Ledger | undefined;
  readonly owner: Owner;
  /** The id of the administrator's next credentials, once the database takes those; empty: it does not. */
  readonly accepted: string;
}

export class PilotSecrets {
  readonly #objects: KubeObjects;
  readonly #clock: Clock;
  /** Since when the next credentials of a cluster are known to wait, by their id. */
  readonly #waiting = new Map<string, { readonly id: string; readonly sinceMs: number }>();
  /** Of each cluster, so that two at once do not make the same Secret twice. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(objects: KubeObjects, clock: Clock) {
    this.#objects = objects;
    this.#clock = clock;
  }

  /** Brings it up to date. Resolves with what is missing, and rejects where nothing can be made without it. */
  keep(whose: SecretsOf): Promise<readonly string[]> {
    const key = clusterKey(whose.cluster.id);
    const work = (this.#last.get(key) ?? Promise.resolve()).then(() => this.#keep(whose));
    this.#last.set(
      key,
      work.catch(() => undefined),
    );
    return work;
  }

  forget(key: string): void {
    this.#waiting.delete(key);
    this.#last.delete(key);
  }

  async #keep(whose: SecretsOf): Promise<readonly string[]> {
    const { cluster } = whose;
    const { couchbase } = cluster;
    if (couchbase === undefined) return [];
    const found = await this.#ours(cluster, pilotSecretName(cluster));
    const held = textsOf(found);
    const missing: string[] = [];
    const administrator = await this.#administrator(whose, held, missing);
    const texts: Record<string, string> = { [secretKeys.administrator]: JSON.stringify(administrator) };
    for (const name of new Set((couchbase.users ?? []).map(({ secretName }) => secretName))) {
      const password = textsOf(await this.#find(cluster, name))['password'];
      const key = secretKeys.ofUser(name);
      if (password !== undefined) texts[key] = JSON.stringify({ password });
      else missing.push(`there is no Secret ${name} with a password, which spec.users names`);
      if (password === undefined && held[key] !== undefined) texts[key] = held[key];
    }
    if (couchbase.tls === true) Object.assign(texts, await this.#certificate(whose, held));
    if (!same(texts, held)) await this.#write(whose, { found, held, texts });
    return missing;
  }

  async #administrator(whose: SecretsOf, held: Texts, missing: string[]): Promise<Administrator> {
    const { cluster, accepted } = whose;
    const before = held[secretKeys.administrator];
    const now = before === undefined ? undefined : (JSON.parse(before) as Administrator);
    // Without it no database can be begun; later it goes on with what it has.
    if (now === undefined) return await this.#given(whose);
    const given = await this.#given(whose).catch((error: unknown) => {
      const isBad = error instanceof NavigatorError && ['invalid', 'not_found'].includes(error.code);
      if (!isBad) throw error;
      missing.push(error.message);
      return undefined;
    });
    const next = rotated(now, { secret: given, accepted, fresh: { id: rotationId(), waits: true } });
    return this.#released(clusterKey(cluster.id), next);
  }

  /** What the Secret of the administrator says, which is made where nobody has named one. */
  async #given(whose: SecretsOf): Promise<Credentials> {
    const { cluster } = whose;
    const name = credentialsName(cluster);
    const found = (await this.#find(cluster, name)) ?? (await this.#makeCredentials(whose));
    if (found !== undefined) return credentialsIn(textsOf(found), `the Secret ${cluster.id.namespace}/${name}`);
    throw new NavigatorError('not_found', `there is no Secret ${name} with a username and a password`);
  }

  /** The next credentials are told the database only once every pod can have read them. */
  #released(key: string, administrator: Administrator): Administrator {
    const { next, ...rest } = administrator;
    if (next?.waits !== true) return administrator;
    const nowMs = this.#clock.monotonicMs();
    const before = this.#waiting.get(key);
    if (before?.id !== next.id) this.#waiting.set(key, { id: next.id, sinceMs: nowMs });
    if (before?.id !== next.id || nowMs < before.sinceMs + spreadMs) return administrator;
    const { waits: _waits, ...released } = next;
    return { ...rest, next: released };
  }

  /**
   * A password of its own, for a database that asks for one and has not begun: later on another one would lock everybody out.
   */
  async #makeCredentials(whose: SecretsOf): Promise<KubeObject | undefined> {
    const { cluster, ledger } = whose;
    const isBegun = Object.values(ledger?.members ?? {}).some(({ joinedOnce }) => joinedOnce);
    if (isBegun || cluster.couchbase?.adminSecret !== undefined) return undefined;
    return this.#create(whose, credentialsName(cluster), { ...freshAdministrator() });
  }

  /** One for all nodes of the cluster, since all pods of a pool are made of one template. */
  async #certificate(whose: SecretsOf, held: Texts): Promise<Texts> {
    const { cluster } = whose;
    const nowMs = this.#clock.wallMs();
    const authority = await this.#authority(whose, nowMs);
    const names = namesOf(cluster);
    const listed = names.join(' ');
    const { chain, key, ca, names: namesKey } = secretKeys.certificate;
    const chainNow = held[chain];
    const isGood =
      chainNow !== undefined &&
      held[ca] === authority.certificate &&
      held[namesKey] === listed &&
      !isDue(chainNow, nowMs);
    if (isGood) return Object.fromEntries([chain, key, ca, namesKey].map((name) => [name, held[name] ?? '']));
    const made = await nodeCertificate(authority, names, nowMs);
    return { [chain]: made.certificate, [key]: made.key, [ca]: authority.certificate, [namesKey]: listed };
  }

  /** Its key is in a Secret that no pod mounts. */
  async #authority(whose: SecretsOf, nowMs: number): Promise<{ readonly certificate: string; readonly key: string }> {
    const { id } = whose.cluster;
    const name = `${id.name}-ca`;
    const { 'ca.crt': certificate, 'ca.key': key } = textsOf(await this.#ours(whose.cluster, name));
    if (certificate !== undefined && key !== undefined) return { certificate, key };
    const made = await nodeAuthority(id, nowMs);
    await this.#create(whose, name, { 'ca.crt': made.certificate, 'ca.key': made.key });
    return made;
  }

  #find({ id }: ClusterSpec, name: string): Promise<KubeObject | undefined> {
    return this.#objects.find(kinds.secret, { namespace: id.namespace, name });
  }

  /** One that somebody else has made under this name is neither read nor written. */
  async #ours(cluster: ClusterSpec, name: string): Promise<KubeObject | undefined> {
    const found = await this.#find(cluster, name);
    if (found === undefined || found.metadata.labels?.[labels.cluster] === cluster.id.name) return found;
    throw new NavigatorError(
      'already_exists',
      `Secret ${cluster.id.namespace}/${name} is somebody else's: move it out of the way, or call the cluster otherwise`,
    );
  }

  async #write(
    whose: SecretsOf,
    { found, held, texts }: { readonly found: KubeObject | undefined; readonly held: Texts; readonly texts: Texts },
  ): Promise<void> {
    if (found === undefined) {
      await this.#create(whose, pilotSecretName(whose.cluster), texts);
      return;
    }
    const gone = Object.keys(held).filter((key) => !(key in texts));
    const data = { ...encoded(texts), ...Object.fromEntries(gone.map((key) => [key, null])) };
    const { resourceVersion } = found.metadata;
    await this.#objects.patch(kinds.secret, found.metadata, { metadata: { resourceVersion }, data });
  }

  /** It goes with the cluster, except where volumes stay, whose database would be locked without it. */
  #create({ cluster, owner }: SecretsOf, name: string, texts: Texts): Promise<KubeObject> {
    const staysBehind = cluster.nodePools.some(({ persistence }) => persistence?.onDelete === 'Retain');
    const { apiVersion, kind } = kinds.secret;
    const metadata = {
      name,
      namespace: cluster.id.namespace,
      labels: labelsOf(cluster),
      ...(!staysBehind && { ownerReferences: [ownedBy(owner)] }),
    };
    const data = encoded(texts);
    return this.#objects.create(kinds.secret, { apiVersion, kind, metadata, type: 'Opaque', data });
  }
}

/** What clients and peers call the nodes. */
function namesOf({ id, nodePools }: ClusterSpec): readonly string[] {
  const zones = ['svc', 'svc.cluster.local'];
  const services = [id.name, ...nodePools.flatMap(({ name }) => [`*.${poolName(id.name, name)}`])];
  return services.flatMap((service) => zones.map((zone) => `${service}.${id.namespace}.${zone}`));
}

function textsOf(secret: KubeObject | undefined): Texts {
  const pairs = Object.entries(secret?.data ?? {});
  return Object.fromEntries(pairs.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

function encoded(texts: Texts): Texts {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
}
