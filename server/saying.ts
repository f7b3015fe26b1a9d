/** What is said to pilots, and what they say went wrong. */
import type { FromPilot, ToPilot } from './model/messages.ts';
import type { Action } from './model/plan.ts';

/** Actions that tell a pilot something, and tell it once. */
export type Saying = Extract<Action, { kind: 'say_desired' | 'say_order' | 'say_decision' }>;

/** Something for a pilot that is said once, until there is something else to say on the topic. */
export interface Words {
  readonly topic: string;
  readonly message: ToPilot;
  /** What is the same says the same. */
  readonly content: unknown;
}

/** An action in the words that a pilot hears. */
export function wordsOf(action: Saying): Words {
  switch (action.kind) {
    case 'say_desired': {
      const { desired } = action;
      const { revision: _revision, ...content } = desired;
      return { topic: 'desired', message: { kind: 'desired', desired }, content };
    }
    case 'say_order': {
      const { order } = action;
      return { topic: 'order', message: { kind: 'order', order }, content: order };
    }
    case 'say_decision': {
      const { decision } = action;
      return { topic: 'decision', message: { kind: 'decision', decision }, content: decision };
    }
  }
}

/** What a pilot says went wrong, for people; empty where nothing did. */
export function troubleIn(message: FromPilot): string {
  switch (message.kind) {
    case 'hook':
      return message.ok ? '' : `${message.hook}: ${message.message}`;
    case 'completion':
    case 'order_result':
      return message.ok ? '' : message.message;
    default:
      return '';
  }
}
