/** Certificates that nodes of a database show: one authority a cluster, and what it signs. When they are made anew, too. */
import { X509Certificate } from 'node:crypto';
import { issueCertificate, makeAuthority, type KeyedCertificate } from '../kubernetes/x509.ts';
import type { ClusterId } from '../model/cluster.ts';

const dayMs = 24 * 3_600_000;
const nodeMs = 90 * dayMs;
/** The clocks of two machines differ. */
const earlierMs = 3_600_000;
/** Of an authority: it outlives the cluster, and is not rotated. */
const authorityMs = 3_650 * dayMs;

/** A new authority of a cluster. */
export function nodeAuthority({ namespace, name }: ClusterId, nowMs: number): Promise<KeyedCertificate> {
  const validity = { fromMs: nowMs - earlierMs, untilMs: nowMs + authorityMs };
  return makeAuthority(`Navigator, Couchbase ${namespace}/${name}`, validity);
}

/** A new certificate for these names, signed by the authority. */
export function nodeCertificate(
  authority: KeyedCertificate,
  names: readonly string[],
  nowMs: number,
): Promise<KeyedCertificate> {
  return issueCertificate(authority, names, { fromMs: nowMs - earlierMs, untilMs: nowMs + nodeMs });
}

/** Whether a third of its time is left, or less. */
export function isDue(certificate: string, nowMs: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [from, until] = [Date.parse(validFrom), Date.parse(validTo)];
  return nowMs >= until - (until - from) / 3;
}
