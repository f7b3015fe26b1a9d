/**
 * Certificates of the nodes of an embedded Couchbase cluster: one authority a cluster, one certificate a node, made when they are
 * missing and again when a third of their time is left. The pilot of each node sees a new one and has its node take it up.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../../../shared/durable.ts';
import type { KeyedCertificate } from '../../kubernetes/x509.ts';
import type { ClusterId } from '../../model/cluster.ts';
import { isDue, nodeAuthority, nodeCertificate } from '../node-certificates.ts';

/** Where the certificates of one node are. */
export interface NodePapers {
  /** The authority, PEM. */
  readonly caFile: string;
  /** With `chain.pem` and `pkey.key`. */
  readonly directory: string;
}

/** One after another: members are made at once, and two of them would each make an authority. */
let last: Promise<unknown> = Promise.resolve();

/** The certificate of the node at `address`, made or renewed where it must be. */
export function nodePapers(
  stateDirectory: string,
  cluster: ClusterId,
  address: string,
  nowMs: number,
): Promise<NodePapers> {
  const made = last.then(() => papersOf(stateDirectory, cluster, address, nowMs));
  last = made.catch(() => undefined);
  return made;
}

async function papersOf(
  stateDirectory: string,
  cluster: ClusterId,
  address: string,
  nowMs: number,
): Promise<NodePapers> {
  const root = join(stateDirectory, 'certificates', cluster.namespace, cluster.name);
  const papers = { caFile: join(root, 'ca.pem'), directory: join(root, address) };
  const authority = await authorityOf(root, cluster, nowMs);
  const chain = join(papers.directory, 'chain.pem');
  if (existsSync(chain) && !isDue(readFileSync(chain, 'utf8'), nowMs)) return papers;
  const made = await nodeCertificate(authority, [address], nowMs);
  // The certificate last: it is what says that the key is there, too.
  writeDurably(join(papers.directory, 'pkey.key'), made.key);
  writeDurably(chain, made.certificate);
  return papers;
}

async function authorityOf(root: string, cluster: ClusterId, nowMs: number): Promise<KeyedCertificate> {
  const [caFile, keyFile] = [join(root, 'ca.pem'), join(root, 'ca.key')];
  if (existsSync(caFile) && existsSync(keyFile))
    return { certificate: readFileSync(caFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  const made = await nodeAuthority(cluster, nowMs);
  writeDurably(keyFile, made.key);
  writeDurably(caFile, made.certificate);
  return made;
}
