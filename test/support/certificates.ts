/** Certificates for tests, made as the server makes its own. */
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { issueCertificate, makeAuthority, type KeyedCertificate } from '../../server/kubernetes/x509.ts';
import { systemClock } from '../../shared/clock.ts';

const hourMs = 3_600_000;

export const loopback = ['localhost', '127.0.0.1'];

/** How long a certificate is valid, from and until so many hours from now. */
export interface Hours {
  readonly from?: number;
  readonly until?: number;
}

function validity({ from = -1, until = 24 }: Hours): { readonly fromMs: number; readonly untilMs: number } {
  const nowMs = systemClock().wallMs();
  return { fromMs: nowMs + from * hourMs, untilMs: nowMs + until * hourMs };
}

export function authority(name = 'a test', hours: Hours = {}): Promise<KeyedCertificate> {
  return makeAuthority(name, validity(hours));
}

export function certificateOf(ca: KeyedCertificate, names = loopback, hours: Hours = {}): Promise<KeyedCertificate> {
  return issueCertificate(ca, names, validity(hours));
}

/** What a client needs to trust servers of this authority. */
export function trusting({ certificate }: KeyedCertificate): ChannelCredentials {
  return credentials.createSsl(Buffer.from(certificate));
}
