/**
 * The rights in deploy/server/rbac.yaml, one by one, and the server's account on a real API server, which can have any of
 * them. What the API server refuses the account is read from its audit log.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { tokenOf } from './accounts.ts';
import type { Call } from './call.ts';
import { waitFor } from '../wait.ts';
import { makeNamespace, type Kubernetes } from './shared.ts';

/** The server's own, as deploy/ has it. */
export const home = 'navigator-system';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const merge = 'application/merge-patch+json';

/** One verb on one kind of objects. */
export interface Right {
  /** Everywhere, or in the server's own namespace. */
  readonly role: 'ClusterRole' | 'Role';
  readonly group: string;
  /** With its subresource. */
  readonly resource: string;
  readonly verb: string;
  /** Of objects with these names alone. */
  readonly names?: readonly string[];
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

type Document = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
};

function documents(): readonly Document[] {
  const file = join(import.meta.dirname, '../../../deploy/server/rbac.yaml');
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as Document);
}

/** Every right that is shipped. */
export function shippedRights(): readonly Right[] {
  return documents().flatMap(({ kind, rules = [] }) => rules.flatMap((rule) => rightsOf(kind as Right['role'], rule)));
}

function rightsOf(role: Right['role'], { apiGroups, resources, verbs, resourceNames: names }: Rule): readonly Right[] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.map((verb) => ({ role, group, resource, verb, ...(names !== undefined && { names }) })),
    ),
  );
}

/** A right in words. */
export function wordsOf({ role, group, resource, verb, names }: Right): string {
  const of = `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
  return `${of}${names === undefined ? '' : ` ${names.join()}`}${role === 'Role' ? ', in its own namespace' : ''}`;
}

/** The server's account as deploy/ makes it, with none of its rights. */
export async function makeServerAccount(call: Call): Promise<string> {
  await makeNamespace(call, home);
  for (const { kind, metadata, ...rest } of documents()) {
    const folder = kind === 'ServiceAccount' ? '/api/v1' : rbac;
    const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
    const path = `${folder}${namespace}/${kind.toLowerCase()}s`;
    const body = { ...rest, kind, metadata, ...(rest.rules !== undefined && { rules: [] }) };
    const { status, body: answer } = await call('POST', path, body);
    if (status !== 201 && status !== 409) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  }
  await give(call, []);
  return await tokenOf(call, { namespace: home, name: 'navigator' });
}

/** From now on the account has these rights, and no other. */
export async function give(call: Call, rights: readonly Right[]): Promise<void> {
  for (const [role, path] of [
    ['ClusterRole', `${rbac}/clusterroles/navigator`],
    ['Role', `${rbac}/namespaces/${home}/roles/navigator`],
  ] as const) {
    const rules = rights
      .filter((right) => right.role === role)
      .map(({ group, resource, verb, names }): Rule => {
        const only = names === undefined ? {} : { resourceNames: names };
        return { apiGroups: [group], resources: [resource], verbs: [verb], ...only };
      });
    const { status, body } = await call('PATCH', path, { rules }, merge);
    if (status !== 200) throw new Error(JSON.stringify(body));
  }
}

/** One call that was refused for want of a right. */
export interface Refused {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly namespace: string;
  readonly name: string;
  /** What the API server said. */
  readonly message: string;
}

interface Audited {
  readonly objectRef?: { readonly namespace?: string; readonly name?: string };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
}

/** What the account was refused so far. Whoever applies what is not there is refused to create it. */
export function refusedSoFar({ api }: Kubernetes): readonly Refused[] {
  const lines = readFileSync(api.auditLog, 'utf8').split('\n');
  // The last one may not be whole yet.
  return lines.slice(0, -1).flatMap((line) => {
    const { objectRef = {}, responseStatus: { code, message = '' } = {} } = JSON.parse(line) as Audited;
    if (code !== 403) return [];
    const [, verb, resource, group] = /cannot (\w+) resource "([^"]+)" in API group "([^"]*)"/.exec(message) ?? [];
    if (verb === undefined || resource === undefined || group === undefined) throw new Error(`refused: ${line}`);
    const { namespace = '', name = '' } = objectRef;
    return [{ group, resource, verb, namespace, name, message }];
  });
}

/** The right that would have allowed it, the narrowest of several; undefined: none that is shipped. */
export function rightFor(refused: Refused, shipped: readonly Right[]): Right | undefined {
  const fits = shipped.filter(({ role, group, resource, verb, names }) => {
    const isThis = group === refused.group && resource === refused.resource && verb === refused.verb;
    const isThere = role === 'ClusterRole' || refused.namespace === home;
    return isThis && isThere && (names === undefined || names.includes(refused.name));
  });
  return fits.find(({ role }) => role === 'Role') ?? fits[0];
}

/** Gives the account all that is shipped, and waits until the API server knows. */
export async function giveAll(call: Call): Promise<void> {
  await give(call, shippedRights());
  const user = `system:serviceaccount:${home}:navigator`;
  const known = [
    { resource: 'pods', verb: 'delete', namespace: 'default' },
    { resource: 'secrets', verb: 'get', namespace: home, name: 'navigator-tls' },
  ];
  for (const resourceAttributes of known) {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, resourceAttributes },
    };
    const isAllowed = async (): Promise<boolean> => {
      const { body } = await call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review);
      return body.status?.allowed === true;
    };
    await waitFor(isAllowed, `the right to ${resourceAttributes.verb} ${resourceAttributes.resource}`, 30_000);
  }
}
