/** ServiceAccounts, their tokens and rights, and pods that tokens are bound to. */
import { createPrivateKey, sign } from 'node:crypto';
import type { Call } from './call.ts';

const group = 'navigator.jetstack.io';

export interface PodOf {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

async function make(call: Call, path: string, body: unknown): Promise<void> {
  const answer = await call('POST', path, body);
  if (answer.status !== 201 && answer.status !== 409) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
}

/** A pod that never runs, of an account that is made with it. `cluster` absent: without a cluster's label. */
export async function makePod(call: Call, namespace: string, name: string, cluster?: string): Promise<PodOf> {
  await make(call, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'pods' } });
  const labels = cluster === undefined ? {} : { [`${group}/cluster`]: cluster };
  const spec = { serviceAccountName: 'pods', containers: [{ name: 'x', image: 'x' }] };
  const { status, body } = await call('POST', `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name, labels },
    spec,
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { namespace, name, uid: body.metadata.uid as string };
}

export async function deletePod(call: Call, { namespace, name }: PodOf): Promise<void> {
  await call('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, { gracePeriodSeconds: 0 });
}

/** A token as the kubelet asks for it. `audience` absent: the API server's own; `pod` absent: bound to none. */
export async function tokenOf(
  call: Call,
  account: { readonly namespace: string; readonly name: string },
  bound: { readonly audience?: string; readonly pod?: PodOf } = {},
): Promise<string> {
  const { audience, pod } = bound;
  const spec = {
    ...(audience !== undefined && { audiences: [audience] }),
    ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid } }),
  };
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
  const { status, body } = await call('POST', path, { spec });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body.status.token as string;
}

/** The token of a pilot, as it is projected into its pod. */
export function pilotToken(call: Call, pod: PodOf, audience = 'navigator'): Promise<string> {
  return tokenOf(call, { namespace: pod.namespace, name: 'pods' }, { audience, pod });
}

/** A token like this one with other claims, signed with this key. */
export function forged(token: string, key: string, change: Readonly<Record<string, unknown>>): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as object;
  const text = `${part({ alg: 'ES256' })}.${part({ ...claims, ...change })}`;
  const signature = sign('sha256', Buffer.from(text), { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** An account that may do this: in its own namespace, or everywhere. Answers with its token. */
export async function makeAccount(
  call: Call,
  account: { readonly namespace: string; readonly name: string },
  rules: readonly Rule[],
  scope: 'namespace' | 'everywhere' = 'namespace',
): Promise<string> {
  const { namespace, name } = account;
  await make(call, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  const root = `/apis/rbac.authorization.k8s.io/v1${scope === 'namespace' ? `/namespaces/${namespace}` : ''}`;
  const [kind, roles] = scope === 'namespace' ? ['Role', 'role'] : ['ClusterRole', 'clusterrole'];
  const unique = scope === 'namespace' ? name : `${namespace}-${name}`;
  await make(call, `${root}/${roles}s`, { metadata: { name: unique }, rules });
  await make(call, `${root}/${roles}bindings`, {
    metadata: { name: unique },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: unique },
    subjects: [{ kind: 'ServiceAccount', namespace, name }],
  });
  return tokenOf(call, account);
}

/** The right to do this with clusters. */
export function onClusters(...verbs: readonly string[]): readonly Rule[] {
  return verbs.length === 0 ? [] : [{ apiGroups: [group], resources: ['elasticsearchclusters'], verbs }];
}
