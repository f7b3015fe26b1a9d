/** The administrator's credentials of a cluster that names none: a Secret that is written once and never read by the server. */
import { NavigatorError } from '../../../shared/errors.ts';
import { kinds } from '../../kubernetes/kinds.ts';
import type { KubeObjects } from '../../kubernetes/objects.ts';
import type { ClusterSpec } from '../../model/cluster.ts';
import type { Ledger } from '../../model/ledger.ts';
import { freshAdministrator } from '../administrator.ts';
import { credentialsName } from './databases.ts';
import type { Owner } from './desired.ts';
import { labelsOf, ownedBy } from './names.ts';

/**
 * Makes the Secret, with a password of its own, for a database that asks for one and has not begun: later on another
 * password would lock everybody out. One that is there already is used as it is. It goes with the cluster, except where
 * volumes stay, whose database would be locked without it.
 */
export async function makeCredentials(
  objects: KubeObjects,
  cluster: ClusterSpec,
  { owner, ledger }: { readonly owner: Owner | undefined; readonly ledger: Ledger | undefined },
): Promise<void> {
  const { couchbase, id, nodePools } = cluster;
  if (couchbase === undefined || couchbase.adminSecret !== undefined || owner === undefined) return;
  if (Object.values(ledger?.members ?? {}).some(({ joinedOnce }) => joinedOnce)) return;
  const staysBehind = nodePools.some(({ persistence }) => persistence?.onDelete === 'Retain');
  const { apiVersion, kind } = kinds.secret;
  const metadata = {
    name: credentialsName(cluster),
    namespace: id.namespace,
    labels: labelsOf(cluster),
    ...(!staysBehind && { ownerReferences: [ownedBy(owner)] }),
  };
  const stringData = freshAdministrator();
  try {
    await objects.create(kinds.secret, { apiVersion, kind, metadata, type: 'Opaque', stringData });
  } catch (error) {
    // `conflict` is what creating answers where it is there.
    if (!(error instanceof NavigatorError) || !['conflict', 'already_exists'].includes(error.code)) throw error;
  }
}
