/** Forms and JSON with one Couchbase node. Every call has a bound in time and in bytes, and shows no credential. */
import { readFileSync, statSync } from 'node:fs';
import { request as requestPlain, type ClientRequest } from 'node:http';
import { request as requestSecure } from 'node:https';
import { join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { codeOf, exchange, type Answer } from '../exchange.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface RestPlace {
  readonly address: string;
  /**
   * A file with `username` and `password` as JSON, or a folder with a file for each, as Kubernetes mounts a Secret; not for
   * everybody's eyes. Read at every call: it may be rotated.
   */
  readonly credentialsFile: string;
  /** The CA that the node's certificate is verified with, PEM. Absent: plain HTTP, for an address of this machine. */
  readonly caFile?: string;
}

export interface RestCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly form?: Readonly<Record<string, string | number | boolean>>;
  readonly limitMs: number;
}

export interface Rest {
  /** The parsed answer of a 2xx, undefined where it is empty. Anything else rejects with the database's own words. */
  call(call: RestCall): Promise<unknown>;
}

/** Reads the credentials. Rejects what others can read: the secret is out. */
export function readCredentials(place: string): Credentials {
  return statSync(place).isDirectory() ? readFolder(place) : readFile(place);
}

/** In a pod the group of the volume is the database's own: Kubernetes lets it read. */
function readFolder(folder: string): Credentials {
  const read = (name: string): string => {
    const file = join(folder, name);
    refuseOpen(file, 0o007);
    return readFileSync(file, 'utf8').trimEnd();
  };
  return { username: read('username'), password: read('password') };
}

function refuseOpen(file: string, others: number): void {
  if ((statSync(file).mode & others) === 0) return;
  throw new NavigatorError('forbidden', `${file} can be read by others`, { advice: [`chmod 600 ${file}`] });
}

function readFile(file: string): Credentials {
  refuseOpen(file, 0o077);
  const { username, password } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials>;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new NavigatorError('invalid', `${file} has no username and password`);
  }
  return { username, password };
}

/** Takes one call to the node, with its form as `body`, and its answer back, whatever its status. Rejects where there is none. */
export type Carry = (call: RestCall, body: Buffer) => Promise<Answer>;

/** Over HTTP to the node at a place. */
export function carryTo(clock: Clock, place: RestPlace): Carry {
  return (call, body) => {
    const open = (): ClientRequest => requestTo(place, call, body.length);
    return exchange(clock, { open, body, limitMs: call.limitMs, what: call.path });
  };
}

/** A client of the node that `carry` reaches. */
export function createRest(carry: Carry): Rest {
  return {
    async call(call) {
      const words = Object.entries(call.form ?? {}).map(([key, value]): [string, string] => [key, String(value)]);
      const { status, text } = await carry(call, Buffer.from(new URLSearchParams(words).toString()));
      if (status >= 200 && status < 300) return parse(text);
      throw new NavigatorError(codeOf(status), `${call.path}: ${status} ${text.slice(0, 500)}`);
    },
  };
}

/** Opens the request with the credentials as they are now. */
function requestTo(place: RestPlace, call: RestCall, bytes: number): ClientRequest {
  const { username, password } = readCredentials(place.credentialsFile);
  const options = {
    host: place.address,
    method: call.method,
    path: call.path,
    agent: false as const,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': bytes,
    },
  };
  return place.caFile === undefined
    ? requestPlain({ ...options, port: 8091 })
    : requestSecure({ ...options, port: 18091, ca: readFileSync(place.caFile) });
}

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new NavigatorError('unavailable', 'the answer is not JSON');
  }
}
