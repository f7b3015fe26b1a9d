/** What pilots and the server say to each other, in the server's words. `rpc/` turns it into the wire's. */
import type { Evidence, Verb } from './permit.ts';
import type { ClusterObservation, NodeObservation, ProcessObservation } from './observation.ts';
import type { Decision, Desired, SettingsOrder, UseAnswer } from './plan.ts';
import type { ClusterId } from './cluster.ts';

export interface Hello {
  readonly cluster: ClusterId;
  readonly member: string;
  readonly incarnation: string;
  readonly application: string;
  readonly pilotVersion: string;
  readonly highestTerm: number;
  readonly permits: readonly string[];
}

export interface Heartbeat {
  readonly sequence: bigint;
  readonly process: ProcessObservation;
  readonly node?: NodeObservation;
  readonly cluster?: Omit<ClusterObservation, 'term' | 'heardAtMs'>;
  readonly leadingTerm: number;
  readonly permits: readonly string[];
  /** The id of what it asks for; empty: nothing. */
  readonly asking: string;
}

/** After the hello. */
export type FromPilot =
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat }
  | {
      readonly kind: 'hook';
      readonly id: string;
      readonly hook: string;
      readonly ok: boolean;
      readonly message: string;
    }
  | {
      readonly kind: 'request';
      readonly id: string;
      readonly verb: Verb;
      readonly evidence: Evidence;
      readonly reason: string;
      readonly sequence: number;
    }
  | { readonly kind: 'use'; readonly permitId: string; readonly evidence: Evidence }
  | { readonly kind: 'completion'; readonly permitId: string; readonly ok: boolean; readonly message: string }
  | { readonly kind: 'order_result'; readonly id: string; readonly ok: boolean; readonly message: string };

export type ToPilot =
  | { readonly kind: 'welcome'; readonly heartbeatMs: number; readonly leaseMs: number }
  | { readonly kind: 'heartbeat_answer'; readonly sequence: bigint; readonly leadership: LeadershipWord }
  | { readonly kind: 'desired'; readonly desired: Desired }
  | { readonly kind: 'order'; readonly order: SettingsOrder }
  | { readonly kind: 'decision'; readonly decision: Decision }
  | { readonly kind: 'use_answer'; readonly answer: UseAnswer }
  | { readonly kind: 'hook_answer'; readonly id: string };

export interface LeadershipWord {
  readonly term: number;
  readonly leader: string;
  readonly yours: boolean;
}

/** One pilot's open stream. To say something never blocks; a reader that is too slow is ended. */
export interface PilotLink {
  say(message: ToPilot): void;
  end(code: 'forbidden' | 'conflict' | 'unavailable' | 'not_found', message: string): void;
}
