/** The way to a server: the socket of one on this machine, or one elsewhere over TLS, with a person's own token. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { credentials, Metadata, status, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { NavigatorError } from '../../shared/errors.ts';
import { socketPath, stateDirectory, type Env } from './places.ts';

/** Where a server answers. */
export type Place = { readonly socket: string } | RemotePlace;

export interface RemotePlace {
  /** `host:port`; 8443 where there is no port. */
  readonly server: string;
  /** Absent: the CAs that this machine trusts. */
  readonly caFile?: string;
  readonly tokenFile?: string;
}

export interface Line {
  /** For gRPC. */
  readonly target: string;
  /** For people. */
  readonly name: string;
  readonly secured: ChannelCredentials;
  /** What goes along with each call: the token is read anew, since it may be renewed meanwhile. */
  metadata(): Metadata;
  /** Why nobody answers there. */
  away(cause: ServiceError): NavigatorError;
}

/** What the flags say, else the environment; a server elsewhere only where one is named. */
export function placeOf(
  flags: {
    readonly stateDirectory?: string;
    readonly server?: string;
    readonly caFile?: string;
    readonly tokenFile?: string;
  },
  env: Env,
): Place {
  // A state directory that is named is meant, whatever the environment says.
  const server = flags.server ?? (flags.stateDirectory === undefined ? env['NAVIGATOR_SERVER'] : undefined);
  if (!server) return { socket: socketPath(stateDirectory(flags.stateDirectory, env)) };
  const caFile = flags.caFile ?? env['NAVIGATOR_CA_FILE'];
  const tokenFile = flags.tokenFile ?? env['NAVIGATOR_TOKEN_FILE'];
  return { server, ...(caFile && { caFile }), ...(tokenFile && { tokenFile }) };
}

/** Throws `invalid` where a file that is needed cannot be read. */
export function lineTo(place: Place): Line {
  return 'socket' in place ? socketLine(resolve(place.socket)) : remoteLine(place);
}

function socketLine(path: string): Line {
  return {
    target: `unix:${path}`,
    name: path,
    secured: credentials.createInsecure(),
    metadata: () => new Metadata(),
    away: (cause) => {
      const elsewhere = 'another place is named by --state-directory or NAVIGATOR_STATE_DIRECTORY';
      if (cause.details.includes('EACCES')) {
        const advice = ['run this as the user that runs the server', elsewhere];
        return new NavigatorError('forbidden', `only its owner may use the server on ${path}`, { cause, advice });
      }
      const advice = ['start one with `npm start` or `navigator up -f FILE`', elsewhere];
      return new NavigatorError('unavailable', `no Navigator server answers on ${path}`, { cause, advice });
    },
  };
}

function remoteLine({ server, caFile, tokenFile }: RemotePlace): Line {
  const target = /:\d+$/.test(server) ? server : `${server}:8443`;
  const ca = caFile === undefined ? null : Buffer.from(read(caFile, 'CA', '--ca-file or NAVIGATOR_CA_FILE'));
  return {
    target,
    name: target,
    // Never without TLS: the token goes along.
    secured: credentials.createSsl(ca),
    metadata: () => {
      const metadata = new Metadata();
      if (tokenFile !== undefined) {
        const token = read(tokenFile, 'token', '--token-file or NAVIGATOR_TOKEN_FILE').trim();
        metadata.set('authorization', `Bearer ${token}`);
      }
      return metadata;
    },
    away: (cause) => {
      const { details } = cause;
      const isCertificate = cause.code === status.UNAVAILABLE && /certificate|altnames|self-signed/i.test(details);
      const advice = isCertificate
        ? [
            '--ca-file names the CA of the server: `kubectl get configmap navigator-ca -o jsonpath={.data.ca\\\\.crt}` where a cluster is',
          ]
        : ['`kubectl -n navigator-system port-forward service/navigator 8443` brings it here: --server localhost:8443'];
      return new NavigatorError('unavailable', `no Navigator server answers on ${target}: ${details}`, {
        cause,
        advice,
      });
    },
  };
}

function read(path: string, what: string, named: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new NavigatorError('invalid', `the ${what} cannot be read: ${String(cause)}`, {
      cause,
      advice: [`it is named by ${named}`],
    });
  }
}
