/** Whatever happens in whatever order: nothing is stopped without the last word of the server or the end of grace. */
import { expect } from 'chai';
import fc from 'fast-check';
import { isAlive, type Event } from '../../../pilot/supervisor/step.ts';
import { desired, memberSpec, Supervised } from '../../support/supervised.ts';

const small = fc.nat(4);
const duration = fc.constantFrom(0, 1, 500, 5_000, 40_000, 100_000);

/** Ids are of what is asked or held now, or nonsense. */
interface Happening {
  readonly kind: Event['kind'] | 'forward';
  readonly number: number;
  readonly ms: number;
  readonly now: boolean;
  readonly waitMs: number;
}

const kinds: readonly Happening['kind'][] = [
  'desired',
  'adopted',
  'prepared',
  'prepared',
  'failed',
  'joined',
  'joined',
  'exited',
  'terminate',
  'decision',
  'decision',
  'use_answer',
  'use_answer',
  'wiped',
  'called_off',
  'tick',
];
const histories = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 3, arbitrary: fc.constant('forward' as const) },
      { weight: 2, arbitrary: fc.constantFrom(...kinds) },
    ),
    number: small,
    ms: duration,
    now: fc.boolean(),
    waitMs: fc.constantFrom(0, 0, 0, 1, 1_000, 31_000),
  }),
  { minLength: 20, maxLength: 80 },
);

/** What would come next if all went well. */
function forward(pilot: Supervised, ms: number): Event {
  const { phase, asking, grant } = pilot.state;
  if (phase === 'idle') return { kind: 'desired', desired: desired(0) };
  if (phase === 'preparing') return { kind: 'prepared' };
  if (phase === 'starting') return { kind: 'joined' };
  if (phase === 'stopping') return { kind: 'exited', message: '', retryInMs: 0 };
  if (grant !== undefined) return { kind: 'use_answer', permitId: grant.permitId, ok: true };
  if (asking === undefined) return { kind: 'tick' };
  const decision = { requestId: asking.id, permitId: `permit-of-${asking.id}`, state: 'granted' } as const;
  return { kind: 'decision', decision: { ...decision, expiresAtMs: pilot.nowMs + ms } };
}

function eventOf(pilot: Supervised, { kind, number, ms, now }: Happening): Event {
  const phases = ['running', 'running', 'stopped', 'decommissioned'] as const;
  const stale = { couchbase: { founds: false, memoryQuotas: {}, stale: true } };
  const version = number === 4 ? '6.8.24' : '6.8.23';
  const spec = memberSpec({ hash: `h${number % 3}`, version, ...(number === 3 && stale) });
  switch (kind) {
    case 'forward':
      return forward(pilot, ms);
    case 'desired':
      return { kind, desired: desired(ms, { phase: phases[number % 4]!, spec }) };
    case 'adopted':
      return { kind, spec };
    case 'failed':
      return { kind, what: now ? 'prepare' : 'start', message: 'no', retryInMs: ms };
    case 'exited':
      return { kind, message: 'gone', retryInMs: ms };
    case 'terminate':
      return { kind, graceMs: ms };
    case 'decision': {
      const requestId = now ? (pilot.state.asking?.id ?? '') : `old-${number}`;
      const state = (['granted', 'granted', 'granted', 'waiting', 'ended'] as const)[number]!;
      return {
        kind,
        decision: { requestId, permitId: `permit-of-${requestId}`, state, expiresAtMs: pilot.nowMs + ms },
      };
    }
    case 'use_answer':
      return { kind, permitId: now ? (pilot.state.grant?.permitId ?? '') : `permit-of-old-${number}`, ok: number > 0 };
    case 'called_off':
      return { kind, message: 'no' };
    case 'wiped':
      return { kind, ok: now, message: '' };
    default:
      return { kind };
  }
}

describe('the supervisor, whatever happens in whatever order', () => {
  it('stops and resets nothing without a yes to the use of a grant that has not run out, or the end of the grace period', () => {
    const stops = { permitted: 0, forced: 0, wiped: 0 };
    fc.assert(
      fc.property(histories, (history) => {
        const pilot = new Supervised();
        for (const happening of history) {
          pilot.wait(happening.waitMs);
          const before = pilot.state;
          const event = eventOf(pilot, happening);
          pilot.on(event);
          if (!pilot.kinds.includes('stop') && !pilot.kinds.includes('wipe')) continue;
          const { grant } = before;
          const yes = event.kind === 'use_answer' && event.ok && event.permitId === grant?.permitId;
          const permitted = yes && !grant.used && pilot.nowMs < grant.expiresAtMs;
          if (pilot.kinds.includes('wipe')) {
            expect(permitted && grant.verb === 'wipe', `reset by ${JSON.stringify(event)}`).to.equal(true);
            stops.wiped++;
            continue;
          }
          const over = pilot.state.termination !== undefined && pilot.nowMs >= pilot.state.termination.deadlineMs;
          expect(permitted || over, `stopped by ${JSON.stringify(event)}`).to.equal(true);
          stops[permitted ? 'permitted' : 'forced']++;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(stops.permitted, 'the property is not empty').to.be.greaterThan(20);
    expect(stops.forced, 'the property is not empty').to.be.greaterThan(20);
    expect(stops.wiped, 'the property is not empty').to.be.greaterThan(20);
  });

  it('never has left without a leave that was permitted, and starts nothing once it has', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const pilot = new Supervised();
        let allowed = false;
        for (const happening of history.filter(({ kind }) => kind !== 'adopted')) {
          const { left, grant } = pilot.wait(happening.waitMs).state;
          const event = eventOf(pilot, happening);
          pilot.on(event);
          allowed ||= event.kind === 'use_answer' && event.ok && grant?.verb === 'leave' && !grant.used;
          if (pilot.state.left) expect(allowed).to.equal(true);
          if (left) expect(pilot.kinds).to.not.include.oneOf(['start', 'prepare']);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('starts nothing that is to be stopped, nor once it was sent SIGTERM', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const pilot = new Supervised();
        for (const happening of history) {
          pilot.wait(happening.waitMs).on(eventOf(pilot, happening));
          const { desired: wanted, termination } = pilot.state;
          if (wanted?.phase === 'stopped' || termination !== undefined) expect(pilot.kinds).to.not.include('start');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('asks under an id that was never asked before for another verb, and starts only what is down', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const pilot = new Supervised();
        const asked = new Map<string, string>();
        for (const happening of history) {
          const alive = isAlive(pilot.wait(happening.waitMs).state);
          const event = eventOf(pilot, happening);
          pilot.on(event);
          const { asking } = pilot.state;
          if (asking) expect(asked.get(asking.id) ?? asking.verb).to.equal(asking.verb);
          if (asking) asked.set(asking.id, asking.verb);
          const ends = event.kind === 'exited' || event.kind === 'failed' || event.kind === 'use_answer';
          if (alive && !ends) expect(pilot.kinds).to.not.include.oneOf(['start', 'prepare', 'exit']);
        }
      }),
      { numRuns: 500 },
    );
  });
});
