/** What the server has a copy of: the objects that it has made, kept up by watches. */
import { clusterKeyOf, kinds, ownSelector } from '../../kubernetes/kinds.ts';
import { keyOf, type Kind } from '../../kubernetes/objects.ts';
import { Reflector, type ReflectorPorts } from '../../kubernetes/reflector.ts';

/** Kinds that belong to clusters, each with its copies grouped by cluster. */
const copied = {
  pods: kinds.pod,
  statefulSets: kinds.statefulSet,
  claims: kinds.claim,
  services: kinds.service,
  serviceAccounts: kinds.serviceAccount,
  disruptionBudgets: kinds.disruptionBudget,
} as const;

export type CopyName = keyof typeof copied;

export type Copies = Readonly<Record<CopyName, Reflector>>;

/** Copies of everything that carries Navigator's label. Nothing is read before `startCopies`. */
export function createCopies(ports: ReflectorPorts): Copies {
  const make = ([name, kind]: [string, (typeof copied)[CopyName]]): [string, Reflector] => [
    name,
    new Reflector(ports, { kind, selector: ownSelector, groupOf: clusterKeyOf }),
  ];
  return Object.fromEntries(Object.entries(copied).map(make)) as Copies;
}

/** Resolves when everything was read once. */
export async function startCopies(copies: Copies): Promise<void> {
  await Promise.all(Object.values(copies).map((copy) => copy.start()));
}

/** Calls back with whatever has changed, and the cluster that it belongs to. */
export function onAnyChange(
  copies: Copies,
  callback: (change: {
    readonly cluster: string;
    readonly kind: Kind;
    readonly key: string;
    readonly isGone: boolean;
  }) => void,
): void {
  for (const [name, kind] of Object.entries(copied) as [CopyName, Kind][]) {
    copies[name].onChange((object, change) => {
      const cluster = clusterKeyOf(object);
      if (cluster !== undefined) callback({ cluster, kind, key: keyOf(object), isGone: change === 'gone' });
    });
  }
}
