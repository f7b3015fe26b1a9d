/** Forms and JSON with one Couchbase node. Every call has a bound in time and in bytes, and shows no credential. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { request as requestPlain, type ClientRequest } from 'node:http';
import { request as requestSecure } from 'node:https';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { codeOf, exchange, type Answer } from '../exchange.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What the file holds: those in force, those that are to be, and those that were before. */
export interface Administrator extends Credentials {
  /** `id` is another one for each rotation. `waits`: not to be told the database yet, since not every pilot can have read it. */
  readonly next?: Credentials & { readonly id: string; readonly waits?: true };
  readonly last?: Credentials;
}

export interface RestPlace {
  readonly address: string;
  /** A file with `username` and `password` as JSON, not for everybody's eyes. Read at every call: it may be rotated. */
  readonly credentialsFile: string;
  /** The CA that the node's certificate is verified with, PEM. Absent: plain HTTP, for an address of this machine. */
  readonly caFile?: string;
}

type Value = string | number | boolean;

export interface RestCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** Pairs where a name is given more than once. */
  readonly form?: Readonly<Record<string, Value>> | readonly (readonly [string, Value])[];
  /** Instead of a form. */
  readonly json?: unknown;
  readonly limitMs: number;
  /** Somebody else than the administrator. */
  readonly as?: Credentials;
}

export interface Rest {
  /** The parsed answer of a 2xx, undefined where it is empty. Anything else rejects with the database's own words. */
  call(call: RestCall): Promise<unknown>;
  /** The id of the administrator's next credentials, where the last call was answered to those; empty: it was not. */
  administrator(): string;
}

/** Reads the credentials. Rejects what others can read: the secret is out. */
export function readCredentials(place: string): Administrator {
  const { username, password, ...others } = readSecret(place);
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new NavigatorError('invalid', `${place} has no username and password`);
  }
  return { ...others, username, password };
}

/** The password of a secret in a directory of secrets, by the same rules. */
export function readPassword(directory: string, name: string): string {
  const { password } = readSecret(join(directory, `${name}.json`));
  if (typeof password !== 'string') throw new NavigatorError('invalid', `the secret ${name} has no password`);
  return password;
}

/** In a pod the group of the volume is the database's own: Kubernetes lets it read. */
function readSecret(file: string): Partial<Administrator> {
  const isMounted = existsSync(join(dirname(file), '..data'));
  if ((statSync(file).mode & (isMounted ? 0o007 : 0o077)) !== 0)
    throw new NavigatorError('forbidden', `${file} can be read by others`, { advice: [`chmod 600 ${file}`] });
  return JSON.parse(readFileSync(file, 'utf8')) as Partial<Administrator>;
}

/** What goes with a call. */
export interface Luggage {
  /** Its form, or its JSON. */
  readonly body: Buffer;
  readonly as: Credentials;
}

/** Takes one call to the node, and its answer back, whatever its status. Rejects where there is none. */
export type Carry = (call: RestCall, luggage: Luggage) => Promise<Answer>;

/** Over HTTP to the node at a place. */
export function carryTo(clock: Clock, place: RestPlace): Carry {
  return (call, { body, as }) => {
    const open = (): ClientRequest => requestTo(place, { call, credentials: as, bytes: body.length });
    return exchange(clock, { open, body, limitMs: call.limitMs, what: call.path });
  };
}

export interface RestGround {
  readonly carry: Carry;
  /** As they are now. Throws where they cannot be read, or where others can read them. */
  readonly credentials: () => Administrator;
}

/**
 * A client of the node that `carry` reaches. While the administrator's password is rotated, nodes take the one or the other, and a node
 * that was away still takes the one of before: where one is refused, the next is tried.
 */
export function createRest({ carry, credentials }: RestGround): Rest {
  let accepted = '';
  const once = (call: RestCall, as: Credentials): Promise<Answer> => {
    const { form = {} } = call;
    const pairs = Array.isArray(form) ? (form as readonly (readonly [string, Value])[]) : Object.entries(form);
    const words = pairs.map(([key, value]): [string, string] => [key, String(value)]);
    const text = call.json === undefined ? new URLSearchParams(words).toString() : JSON.stringify(call.json);
    return carry(call, { body: Buffer.from(text), as });
  };
  const asAdministrator = async (call: RestCall): Promise<Answer> => {
    const { next, last, ...present } = credentials();
    let answer = await once(call, present);
    let id = '';
    if (answer.status === 401 && next !== undefined) {
      answer = await once(call, next);
      id = next.id;
    }
    if (answer.status === 401 && last !== undefined) answer = await once(call, last);
    else accepted = id;
    return answer;
  };
  return {
    administrator: () => accepted,
    async call(call) {
      const { status, text } = await (call.as === undefined ? asAdministrator(call) : once(call, call.as));
      if (status >= 200 && status < 300) return parse(text);
      throw new NavigatorError(codeOf(status), `${call.path}: ${status} ${text.slice(0, 500)}`);
    },
  };
}

interface Request {
  readonly call: RestCall;
  readonly credentials: Credentials;
  readonly bytes: number;
}

function requestTo(place: RestPlace, { call, credentials, bytes }: Request): ClientRequest {
  const { username, password } = credentials;
  const options = {
    host: place.address,
    method: call.method,
    path: call.path,
    agent: false as const,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': call.json === undefined ? 'application/x-www-form-urlencoded' : 'application/json',
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
