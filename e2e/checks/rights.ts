/** The rights of the server against what it has done: nothing is missing, and what was not used is named. */
import { must, type Check } from './check.ts';
import { find } from './kubectl.ts';
import { auditedCalls, notOurs, type AuditedCall } from './machine.ts';

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

/** Each as `group/resource verb`. */
function grantedBy(rules: readonly Rule[]): readonly string[] {
  return rules.flatMap(({ apiGroups = [], resources = [], verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((name) => verbs.map((verb) => `${group}/${name} ${verb}`))),
  );
}

function kindOf({ group, resource, verb }: AuditedCall): string {
  return `${group}/${resource} ${verb}`;
}

/**
 * The kinds of calls that the server may not make: refused, and never answered afterwards. An API server that has just
 * started refuses everybody while it has not read the rules yet.
 */
function refusedFor(calls: readonly AuditedCall[]): readonly string[] {
  const last = new Map(calls.map((call) => [kindOf(call), call.code]));
  return [...last].filter(([, code]) => code === 403).map(([kind]) => kind);
}

export const rights: readonly Check[] = [
  {
    name: 'the server lacks no right that it uses of the Kubernetes API',
    skip: notOurs,
    run: async () => {
      const calls = auditedCalls();
      must(calls.length > 0, 'no call was written down');
      const refused = refusedFor(calls);
      must(refused.length === 0, `refused: ${refused.join(', ')}`);
      const used = new Set(calls.map(kindOf));
      const cluster = ((await find('clusterrole', 'navigator'))?.['rules'] ?? []) as readonly Rule[];
      const own = ((await find('role', 'navigator', 'navigator-system'))?.['rules'] ?? []) as readonly Rule[];
      const unused = new Set([...grantedBy(cluster), ...grantedBy(own)].filter((right) => !used.has(right)));
      return `${calls.length} calls, ${used.size} kinds; not used here: ${[...unused].join(', ') || 'nothing'}`;
    },
  },
];
