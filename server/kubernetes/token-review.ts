/** Whose a token of Kubernetes is. The API server says so; what the token says of itself is believed only to its disadvantage. */
import { isRefusal, refusal, type Caller, type Identity, type Refusal, type TokenHolder } from '../rpc/access.ts';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { KubernetesApi } from './api.ts';

/** What the tokens of pilots are made for, and nothing else is. */
export const pilotAudience = 'navigator';

const clusterLabel = 'navigator.jetstack.io/cluster';
const podName = 'authentication.kubernetes.io/pod-name';
const podUid = 'authentication.kubernetes.io/pod-uid';
/** A token with all that Kubernetes writes into it has about 1,200 characters. */
const tokenMax = 8_192;

interface User {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface Reviewed {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly error?: string;
    readonly user?: User;
  };
}

/** Who holds a token: `audience` absent means the API server's own. Rejects where the API server does not say. */
export async function reviewToken(api: KubernetesApi, token: string, audience?: string): Promise<Caller | Refusal> {
  if (token === '') return refusal('no_token', 'the call bears no token');
  if (token.length > tokenMax) return refusal('unknown_token', `the token has more than ${tokenMax} characters`);
  const spec = { token, ...(audience !== undefined && { audiences: [audience] }) };
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const { status = {} } = (await api.call({ method: 'POST', path, body })) as Reviewed;
  const who = status.user?.username;
  if (status.authenticated !== true || who === undefined || who === '') return refusedBy(status.error ?? '');
  // An API server that does not know of audiences would let pass a token that was made for somebody else.
  if (audience !== undefined && status.audiences?.includes(audience) !== true) {
    return refusal('other_audience', `the token is not made for ${audience}`);
  }
  const { uid, groups, extra } = status.user ?? {};
  return { who, ...(uid !== undefined && { uid }), ...(groups && { groups }), ...(extra && { extra }) };
}

/** The API server's words name what is wrong, and never the token. */
function refusedBy(error: string): Refusal {
  if (/expired/i.test(error)) return refusal('expired_token', 'the token has expired');
  if (/audience/i.test(error)) return refusal('other_audience', 'the token is made for another audience');
  return refusal('unknown_token', 'Kubernetes does not know this token, or no longer');
}

/**
 * Pilots, by the token that is projected into their pod: it is bound to that pod, and ends with it. The pod is the member of
 * the same name, of the cluster that its label names, in its own namespace.
 */
export class PodIdentity implements Identity {
  readonly #api: KubernetesApi;
  readonly #clock: Clock;

  constructor(api: KubernetesApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  async holderOf(token: string): Promise<TokenHolder | Refusal> {
    const wrong = faultOf(token, this.#clock.wallMs());
    if (wrong !== undefined) return wrong;
    const caller = await reviewToken(this.#api, token, pilotAudience);
    if (isRefusal(caller)) return caller;
    const [, kind, namespace] = /^system:(\w+):([^:]+):/.exec(caller.who ?? '') ?? [];
    const [member] = caller.extra?.[podName] ?? [];
    const [uid] = caller.extra?.[podUid] ?? [];
    if (kind !== 'serviceaccount' || namespace === undefined || member === undefined || uid === undefined) {
      return refusal('no_pod', 'the token is bound to no pod');
    }
    return this.#member({ namespace, member, uid });
  }

  async #member(pod: {
    readonly namespace: string;
    readonly member: string;
    readonly uid: string;
  }): Promise<TokenHolder | Refusal> {
    const { namespace, member, uid } = pod;
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(member)}`;
    let metadata: { readonly uid?: string; readonly labels?: Readonly<Record<string, string>> };
    try {
      ({ metadata } = (await this.#api.call({ method: 'GET', path })) as { readonly metadata: typeof metadata });
    } catch (error) {
      if (!(error instanceof NavigatorError) || error.code !== 'not_found') throw error;
      return refusal('no_pod', `the pod ${namespace}/${member} of the token is gone`);
    }
    if (metadata.uid !== uid) return refusal('no_pod', `the pod ${namespace}/${member} of the token is gone`);
    const cluster = metadata.labels?.[clusterLabel];
    if (cluster === undefined) return refusal('no_pod', `the pod ${namespace}/${member} is of no cluster`);
    return { cluster: `${namespace}/${cluster}`, member };
  }
}

interface Claims {
  readonly aud?: unknown;
  readonly exp?: unknown;
}

/**
 * What a token itself says against it: nobody needs to be asked about that, so that a flood of nonsense costs the API server
 * nothing. Undefined: nothing, which proves nothing.
 */
function faultOf(token: string, wallMs: number): Refusal | undefined {
  const claims = claimsOf(token);
  if (claims === undefined) return refusal('unknown_token', 'the token is none of a ServiceAccount');
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (!audiences.includes(pilotAudience))
    return refusal('other_audience', `the token is not made for ${pilotAudience}`);
  if (typeof claims.exp === 'number' && claims.exp * 1_000 + clockSkewMs < wallMs) {
    return refusal('expired_token', 'the token has expired');
  }
  return undefined;
}

/** By so much the clocks of two machines may differ; within it the API server decides. */
const clockSkewMs = 300_000;

function claimsOf(token: string): Claims | undefined {
  const parts = token.split('.');
  if (parts.length !== 3 || token.length > tokenMax) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}
