/** Ports: who is at the door. Each platform knows its pilots and its people in a way of its own. */

/** The member that a pilot may speak for. */
export interface TokenHolder {
  /** `namespace/name`. */
  readonly cluster: string;
  readonly member: string;
}

/** Why somebody is turned away, as it is counted: `unauthenticated` is not known at all, `forbidden` is known and may not. */
export interface Refusal {
  readonly refused: RefusalReason;
  readonly code: 'unauthenticated' | 'forbidden';
  /** For the log and for who is refused. It never holds the token. */
  readonly message: string;
}

const forbidden = ['no_pod', 'other_member', 'other_cluster', 'not_allowed'] as const;

export type RefusalReason =
  'no_token' | 'unknown_token' | 'expired_token' | 'other_audience' | (typeof forbidden)[number];

/** Who holds a token. Rejects where that cannot be found out now, which says nothing about the token. */
export interface Identity {
  holderOf(token: string): Promise<TokenHolder | Refusal>;
}

/** A refusal for this reason. */
export function refusal(refused: RefusalReason, message: string): Refusal {
  const isKnown = forbidden.some((reason) => reason === refused);
  return { refused, code: isKnown ? 'forbidden' : 'unauthenticated', message };
}

/** Tells a refusal from what was asked for. */
export function isRefusal(answer: object): answer is Refusal {
  return 'refused' in answer;
}

/** Somebody who asks: a person, or a program that has a token as people have. */
export interface Caller {
  /** What the ledger records. Undefined: whom they say that they are, where the platform does not know better. */
  readonly who: string | undefined;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What may be done to a cluster. */
export type AccessVerb = 'get' | 'list' | 'create' | 'update' | 'delete';

/** Of what. An empty name: all of a namespace; an empty namespace: of all. */
export interface AccessScope {
  readonly application: string;
  readonly namespace: string;
  readonly name: string;
}

/** Who people are and what they may do. Rejects where that cannot be found out now. */
export interface Access {
  callerOf(token: string): Promise<Caller | Refusal>;
  may(caller: Caller, verb: AccessVerb, scope: AccessScope): Promise<boolean>;
}

/** Behind a door that only its owner can open: whoever comes in may do everything, and is whom they say they are. */
export const ownerAccess: Access = {
  callerOf: async () => ({ who: undefined }),
  may: async () => true,
};
