/**
 * What to do now about the server's certificate and its authority. Pure: (what is held, names, now) → one step, until the
 * step is to use what is held.
 *
 * A new authority is trusted before anything is signed by it, and an old one for as long as it lives: whoever reads the
 * bundle within the time between is never without the one that it needs.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** What is held, PEM; absent: nothing of that. */
export interface Held {
  readonly certificate?: string;
  readonly key?: string;
  /** Every authority that is trusted, the one that signs first. */
  readonly authorities: readonly string[];
  /** Of the authority that signs. Absent beside a certificate: somebody else makes the certificates. */
  readonly authorityKey?: string;
  /** Of the last authority of several, which is to sign next. */
  readonly nextKey?: string;
}

export interface CertificateRule {
  readonly certificateMs: number;
  readonly authorityMs: number;
  /** How long a new authority is trusted before it signs. */
  readonly overlapMs: number;
  /** By so much clocks may differ: certificates begin earlier. */
  readonly backdateMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const certificateRule: CertificateRule = {
  certificateMs: 30 * dayMs,
  authorityMs: 3 * 365 * dayMs,
  overlapMs: dayMs,
  backdateMs: hourMs,
};

export type Step =
  /** Nothing needs to be done before then, in ms since the epoch. */
  | { readonly kind: 'use'; readonly untilMs: number }
  /** Make an authority. `signs`: at once, because no other can; else it is the next one. */
  | { readonly kind: 'make_authority'; readonly signs: boolean; readonly why: string }
  /** The next authority signs from now on. */
  | { readonly kind: 'promote' }
  /** Authorities that have ended are no longer trusted. */
  | { readonly kind: 'forget' }
  /** Make a certificate. */
  | { readonly kind: 'issue'; readonly why: string }
  /** What somebody else makes cannot be used. */
  | { readonly kind: 'wait'; readonly why: string };

export interface Situation {
  /** Everything that the server is called. */
  readonly names: readonly string[];
  readonly nowMs: number;
  readonly rule: CertificateRule;
}

/** The next step. */
export function nextStep(held: Held, situation: Situation): Step {
  if (held.authorityKey === undefined && held.certificate !== undefined) return ofSomebodyElse(held, situation);
  const { nowMs, rule } = situation;
  const authorities = held.authorities.map(read);
  const [signer, ...others] = authorities;
  const last = others.at(-1);
  // Without its key it is one more that is trusted.
  const next = last !== undefined && isPair(last, held.nextKey) ? last : undefined;
  if (signer === undefined || !isPair(signer, held.authorityKey)) {
    return { kind: 'make_authority', signs: true, why: 'there is none that can sign' };
  }
  const hasEnded = untilMs(signer) <= nowMs;
  const readyMs = next && fromMs(next) + rule.backdateMs + rule.overlapMs;
  if (readyMs !== undefined && (hasEnded || nowMs >= readyMs)) return { kind: 'promote' };
  if (hasEnded) return { kind: 'make_authority', signs: true, why: 'the one that signs has ended' };
  if (others.some((one) => untilMs(one) <= nowMs)) return { kind: 'forget' };
  if (next === undefined && nowMs >= renewMs(signer)) {
    return { kind: 'make_authority', signs: false, why: 'two thirds of its life are over' };
  }
  const why = faultOf(held, signer, situation);
  if (why !== undefined) return { kind: 'issue', why };
  const times = [renewMs(read(held.certificate)), readyMs ?? renewMs(signer), ...others.map(untilMs)];
  return { kind: 'use', untilMs: Math.min(...times) };
}

/** Whether an authority, PEM, can be read and has not ended. */
export function isAlive(authority: string, nowMs: number): boolean {
  return untilMs(read(authority)) > nowMs;
}

/** Why the certificate that is held cannot go on. */
function faultOf(held: Held, signer: X509Certificate, { names, nowMs }: Situation): string | undefined {
  const certificate = read(held.certificate);
  if (certificate === undefined || !isPair(certificate, held.key)) return 'there is none';
  if (!certificate.checkIssued(signer) || !certificate.verify(signer.publicKey)) return 'another authority signs now';
  const missing = names.find((name) => !isFor(certificate, name));
  if (missing !== undefined) return `it is not for ${missing}`;
  if (nowMs >= renewMs(certificate)) return 'two thirds of its life are over';
  return undefined;
}

function isFor(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
}

function ofSomebodyElse(held: Held, { nowMs }: Situation): Step {
  const certificate = read(held.certificate);
  if (certificate === undefined) return { kind: 'wait', why: 'its certificate cannot be read' };
  if (!isPair(certificate, held.key)) return { kind: 'wait', why: 'its key is not that of its certificate' };
  if (held.authorities.length === 0) return { kind: 'wait', why: 'it names no CA that pilots could trust' };
  if (untilMs(certificate) <= nowMs) return { kind: 'wait', why: 'its certificate has ended' };
  return { kind: 'use', untilMs: untilMs(certificate) };
}

/** What can be read as a certificate. */
function read(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function isPair(certificate: X509Certificate, key: string | undefined): boolean {
  try {
    return key !== undefined && certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Two thirds of its life; what cannot be read is due. */
function renewMs(certificate: X509Certificate | undefined): number {
  return certificate === undefined ? 0 : fromMs(certificate) + ((untilMs(certificate) - fromMs(certificate)) * 2) / 3;
}

function fromMs(certificate: X509Certificate | undefined): number {
  return certificate === undefined ? 0 : certificate.validFromDate.getTime();
}

function untilMs(certificate: X509Certificate | undefined): number {
  return certificate === undefined ? 0 : certificate.validToDate.getTime();
}
