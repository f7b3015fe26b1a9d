/** A TLS listener that outlives its certificates, and a handshake that takes too long. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';

/** PEM. The certificate may be followed by those between it and its CA. */
export interface TlsCredentials {
  readonly certificate: string;
  readonly key: string;
}

/** Connections that may wait to be taken: with Node's 511 a storm of 10,000 pilots overflowed it 60,000 times. */
export const tlsBacklog = 4_096;

export interface TlsLimits {
  readonly connectionsMax: number;
  readonly handshakeWithinMs: number;
}

/** 10,000 pilots, and as many again while the old connections of a storm are still to be given up. */
const usualLimits: TlsLimits = { connectionsMax: 20_000, handshakeWithinMs: 20_000 };
/** Whoever gets hold of the keys of session tickets can read the sessions that were resumed with them. */
const ticketKeysForMs = 6 * 3_600_000;
const ticketKeysBytes = 48;

export interface TlsListener {
  readonly listener: Server;
  replaceCredentials(credentials: TlsCredentials): void;
  close(): void;
}

/** A listener that gives every connection whose handshake is done to `take`. TLS 1.3 alone, HTTP/2 alone. */
export function createTlsListener(
  credentials: TlsCredentials,
  ports: { readonly clock: Clock; readonly log: Logger },
  take: (socket: TLSSocket) => void,
  limits: Partial<TlsLimits> = {},
): TlsListener {
  const { connectionsMax, handshakeWithinMs } = { ...usualLimits, ...limits };
  const { clock, log } = ports;
  const listener = createServer({
    ...checked(credentials),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    handshakeTimeout: handshakeWithinMs,
    ticketKeys: randomBytes(ticketKeysBytes),
  });
  listener.maxConnections = connectionsMax;
  listener.on('secureConnection', take);
  listener.on('tlsClientError', (error, socket) => {
    // Port scans and probes of load balancers come here, too.
    log.debug({ reason: error.message, from: socket.remoteAddress }, 'a TLS handshake has failed');
    socket.destroy();
  });
  let timer: Timer;
  const rotate = (): void => {
    listener.setTicketKeys(randomBytes(ticketKeysBytes));
    timer = clock.after(ticketKeysForMs, rotate);
  };
  timer = clock.after(ticketKeysForMs, rotate);
  return {
    listener,
    replaceCredentials: (fresh) => {
      // New keys: a session that was begun with the old certificate is not resumed past its end.
      const ticketKeys = randomBytes(ticketKeysBytes);
      listener.setSecureContext({ ...checked(fresh), minVersion: 'TLSv1.3', ticketKeys });
    },
    close: () => {
      timer.cancel();
      listener.close();
    },
  };
}

function checked({ certificate: cert, key }: TlsCredentials): { readonly cert: string; readonly key: string } {
  try {
    // A context takes a missing key, and refuses every handshake later.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key is of another one');
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new NavigatorError('invalid', `the server's certificate and key cannot be used: ${String(cause)}`, { cause });
  }
  return { cert, key };
}
