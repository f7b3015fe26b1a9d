/**
 * The server's certificate in a Secret: made and renewed here, or by whoever fills that Secret; and its CA where pilots read
 * it. Every write names the resourceVersion that it replaces: of two servers at once one writes, and the other reads that.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { KubernetesApi } from './api.ts';
import { certificateRule, isAlive, nextStep, type CertificateRule, type Held, type Step } from './certificate-plan.ts';
import { issueCertificate, makeAuthority, type KeyedCertificate } from './x509.ts';

export interface CertificatePorts {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CertificateOptions {
  /** The server's own. */
  readonly namespace: string;
  /** What pilots and people call the server: DNS names, addresses. */
  readonly names: readonly string[];
  /** Where clusters are: each has the CA in a ConfigMap. */
  readonly namespaces: () => Iterable<string>;
  /** There are others than before, for every new connection. */
  readonly onChange: (credentials: KeyedCertificate) => void;
  readonly rule?: CertificateRule;
}

export interface CertificateKeeper {
  readonly credentials: KeyedCertificate;
  /** Looks now, writes what is due, and publishes the CA. Rejects where the Secret cannot be read or written. */
  look(): Promise<void>;
  /** Publishes the CA in a namespace that has just got its first cluster. Rejects where that cannot be. */
  publish(namespace: string): Promise<void>;
  close(): void;
}

export const secretName = 'navigator-tls';
export const configMapName = 'navigator-ca';
/** Somebody else may have changed the Secret; and a ConfigMap that was deleted is missed by the next pod. */
const lookEveryMs = 300_000;
const againAfterMs = 15_000;
/** Steps that one look may take: an authority, a certificate, and what was forgotten. */
const stepsMax = 8;
const racesMax = 5;

/** The names of a Service of Kubernetes, and this machine's own. */
export function serviceNames(service: string, namespace: string): readonly string[] {
  const name = `${service}.${namespace}`;
  return [service, name, `${name}.svc`, `${name}.svc.cluster.local`, 'localhost', '127.0.0.1'];
}

/** Resolves once there are certificates. Rejects with `refused` where somebody else's Secret holds none that can be used. */
export async function keepCertificates(
  ports: CertificatePorts,
  options: CertificateOptions,
): Promise<CertificateKeeper> {
  const keeper = new Keeper(ports, options);
  await keeper.look();
  keeper.begin();
  return keeper;
}

interface Secret {
  readonly held: Held;
  /** Undefined: there is none yet. */
  readonly resourceVersion?: string;
}

class Keeper implements CertificateKeeper {
  readonly #ports: CertificatePorts;
  readonly #options: CertificateOptions;
  readonly #published = new Map<string, string>();
  readonly #publishing = new Map<string, Promise<void>>();
  #held: Held | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(ports: CertificatePorts, options: CertificateOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  get credentials(): KeyedCertificate {
    return credentialsOf(this.#held ?? { authorities: [] });
  }

  async look(): Promise<void> {
    const held = await this.#current();
    const before = this.#held;
    this.#held = held;
    if (before !== undefined && (before.certificate !== held.certificate || before.key !== held.key)) {
      this.#options.onChange(credentialsOf(held));
    }
    this.#published.clear();
    for (const namespace of this.#options.namespaces()) {
      // One that is on its way out takes nothing new, and keeps nothing from the others.
      await this.publish(namespace).catch((err: unknown) =>
        this.#ports.log.warn({ err, namespace }, 'the CA could not be published; it is tried again'),
      );
    }
  }

  publish(namespace: string): Promise<void> {
    const bundle = bundleOf(this.#held?.authorities ?? []);
    if (bundle === '' || this.#published.get(namespace) === bundle) return Promise.resolve();
    const key = `${namespace} ${bundle}`;
    const publishing =
      this.#publishing.get(key) ?? this.#publish(namespace, bundle).finally(() => this.#publishing.delete(key));
    this.#publishing.set(key, publishing);
    return publishing;
  }

  async #publish(namespace: string, bundle: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/configmaps/${configMapName}`;
    const present = await this.#find<{ readonly data?: Readonly<Record<string, string>> }>(path);
    if (present?.data?.['ca.crt'] !== bundle) {
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: configMapName, namespace, labels: { 'app.kubernetes.io/managed-by': 'navigator' } },
        data: { 'ca.crt': bundle },
      };
      const query = { fieldManager: 'navigator', force: 'true' };
      await this.#ports.api.call({ method: 'PATCH', path, query, body, contentType: 'application/apply-patch+yaml' });
    }
    this.#published.set(namespace, bundle);
  }

  begin(): void {
    this.#later(lookEveryMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #later(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = this.#ports.clock.after(delayMs, () => {
      this.look().then(
        () => this.#later(lookEveryMs),
        (err: unknown) => {
          this.#ports.log.warn({ err }, 'the certificates could not be looked after; those that there are go on');
          this.#later(againAfterMs);
        },
      );
    });
  }

  /** What the Secret holds once everything that is due is done. */
  async #current(): Promise<Held> {
    for (let races = 0; races < racesMax; races++) {
      const secret = await this.#read();
      const held = await this.#brought(secret.held);
      if (held === secret.held || (await this.#write(held, secret.resourceVersion)) === 'written') return held;
    }
    throw new NavigatorError('conflict', `somebody else keeps changing the Secret ${secretName}`);
  }

  /** The same object where nothing is due. */
  async #brought(held: Held): Promise<Held> {
    const { names, rule = certificateRule } = this.#options;
    let brought = held;
    for (let steps = 0; steps < stepsMax; steps++) {
      const nowMs = this.#ports.clock.wallMs();
      const step = nextStep(brought, { names, nowMs, rule });
      if (step.kind === 'use') return brought;
      if (step.kind === 'wait') throw this.#refusal(step.why);
      this.#ports.log.info({ step: step.kind, why: 'why' in step ? step.why : undefined }, 'certificates are renewed');
      brought = await taken(brought, step, { names, nowMs, rule });
    }
    throw new NavigatorError('internal', 'the certificates do not come to an end');
  }

  #refusal(why: string): NavigatorError {
    const where = `the Secret ${secretName} in the namespace ${this.#options.namespace}`;
    return new NavigatorError('refused', `${where} is filled by somebody else, and ${why}`, {
      advice: ['fill tls.crt, tls.key and ca.crt; or delete it, and the server makes certificates of its own'],
    });
  }

  async #read(): Promise<Secret> {
    interface Stored {
      readonly metadata: { readonly resourceVersion: string };
      readonly data?: Readonly<Record<string, string>>;
    }
    const stored = await this.#find<Stored>(this.#path());
    if (stored === undefined) return { held: { authorities: [] } };
    const text = (name: string): string | undefined => {
      const found = Buffer.from(stored.data?.[name] ?? '', 'base64').toString();
      return found === '' ? undefined : found;
    };
    const [certificate, key, authorityKey, nextKey] = ['tls.crt', 'tls.key', 'ca.key', 'ca-next.key'].map(text);
    return {
      resourceVersion: stored.metadata.resourceVersion,
      held: {
        authorities: certificatesIn(text('ca.crt') ?? ''),
        ...(certificate !== undefined && { certificate }),
        ...(key !== undefined && { key }),
        ...(authorityKey !== undefined && { authorityKey }),
        ...(nextKey !== undefined && { nextKey }),
      },
    };
  }

  async #write(held: Held, resourceVersion: string | undefined): Promise<'written' | 'raced'> {
    const { api } = this.#ports;
    const { namespace } = this.#options;
    const data = dataOf(held);
    const metadata = { name: secretName, namespace, labels: { 'app.kubernetes.io/managed-by': 'navigator' } };
    try {
      if (resourceVersion === undefined) {
        const present = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));
        const body = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data: present };
        await api.call({ method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`, body });
      } else {
        const body = { metadata: { resourceVersion }, data };
        await api.call({ method: 'PATCH', path: this.#path(), body, contentType: 'application/merge-patch+json' });
      }
      return 'written';
    } catch (error) {
      const code = NavigatorError.from(error).code;
      // What was deleted meanwhile is made anew, too.
      const isGone = code === 'not_found' && resourceVersion !== undefined;
      if (code === 'conflict' || code === 'already_exists' || isGone) return 'raced';
      throw error;
    }
  }

  async #find<T>(path: string): Promise<T | undefined> {
    try {
      return (await this.#ports.api.call({ method: 'GET', path })) as T;
    } catch (error) {
      if (error instanceof NavigatorError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  #path(): string {
    return `/api/v1/namespaces/${this.#options.namespace}/secrets/${secretName}`;
  }
}

interface Making {
  readonly names: readonly string[];
  readonly nowMs: number;
  readonly rule: CertificateRule;
}

/** What is held once a step is taken. */
export async function taken(held: Held, step: Exclude<Step, { kind: 'use' | 'wait' }>, making: Making): Promise<Held> {
  const { names, nowMs, rule } = making;
  const validity = (lengthMs: number): { readonly fromMs: number; readonly untilMs: number } => ({
    fromMs: nowMs - rule.backdateMs,
    untilMs: nowMs - rule.backdateMs + lengthMs,
  });
  const { nextKey: next, ...rest } = held;
  const [signer = '', ...others] = held.authorities;
  switch (step.kind) {
    case 'make_authority': {
      const made = await makeAuthority(`navigator ${new Date(nowMs).toISOString()}`, validity(rule.authorityMs));
      const { certificate, key } = made;
      if (step.signs) return { ...rest, authorities: [certificate, ...held.authorities], authorityKey: key };
      return { ...held, authorities: [...held.authorities, certificate], nextKey: key };
    }
    case 'promote': {
      const promoted = others.at(-1) ?? '';
      return { ...rest, authorities: [promoted, signer, ...others.slice(0, -1)], authorityKey: next ?? '' };
    }
    case 'forget':
      return { ...held, authorities: [signer, ...others.filter((one) => isAlive(one, nowMs))] };
    case 'issue': {
      const authority = { certificate: signer, key: held.authorityKey ?? '' };
      return { ...held, ...(await issueCertificate(authority, names, validity(rule.certificateMs))) };
    }
  }
}

function credentialsOf({ certificate = '', key = '' }: Held): KeyedCertificate {
  return { certificate, key };
}

/** Null removes what is there and is not held. */
function dataOf(held: Held): Readonly<Record<string, string | null>> {
  const base64 = (text: string | undefined): string | null =>
    text === undefined ? null : Buffer.from(text).toString('base64');
  return {
    'tls.crt': base64(held.certificate),
    'tls.key': base64(held.key),
    'ca.crt': base64(bundleOf(held.authorities)),
    'ca.key': base64(held.authorityKey),
    'ca-next.key': base64(held.nextKey),
  };
}

function bundleOf(authorities: readonly string[]): string {
  return authorities.join('');
}

/** Every certificate of a bundle, each with the end of its last line. */
function certificatesIn(bundle: string): readonly string[] {
  const found = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((one) => `${one}\n`);
}
