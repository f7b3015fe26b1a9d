/** Permits never oversell, whatever happens in whatever order: random histories against an oracle that only counts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { approve, deny, revoke } from '../../../server/coordination/rulings.ts';
import { isOpen, type Permit, type Verb } from '../../../server/model/permit.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { World } from '../../support/world.ts';

const person = { who: 'ada', why: 'a test', wallMs: 0 };
const verbs: readonly Verb[] = ['restart', 'leave', 'upgrade', 'stop'];

/** What may happen next: which thing, to whom, how much. */
interface Happening {
  readonly what: (typeof happenings)[number];
  readonly who: number;
  readonly much: number;
}

const happenings = [
  'ask',
  'ask',
  'ask',
  'use',
  'use',
  'complete',
  'complete',
  'crash',
  'come back',
  'come back',
  'cut',
  'reconnect',
  'new life',
  'time',
  'a long time',
  'scale',
  'pause',
  'approve',
  'deny',
  'revoke',
  'move',
  'yellow',
  'upgrade',
  'obey',
  'obey',
  'restart the server',
] as const;

const histories = fc.array(fc.record({ what: fc.constantFrom(...happenings), who: fc.nat(9), much: fc.nat(9) }), {
  minLength: 5,
  maxLength: 60,
});

function nodePools(masters: number, data: number): ReturnType<typeof pool>[] {
  return [pool('m', masters, ['master']), pool('b', 2, ['master', 'data']), pool('d', data, ['data'])];
}

function happen(world: World, { what, who, much }: Happening): unknown {
  const names = [...world.members.keys()].filter((name) => world.record(name) !== undefined);
  const name = names[who % names.length];
  if (name === undefined) return undefined;
  const truth = world.truth(name);
  const own = (state: Permit['state']): Permit | undefined =>
    world.ledger.permits.findLast((permit) => permit.member === name && permit.state === state);
  switch (what) {
    case 'ask':
      return truth.joined && world.ask(name, verbs[much % verbs.length]!);
    case 'use':
      return own('granted') && truth.asks && world.use(name);
    case 'complete': {
      if (own('used') === undefined) return undefined;
      delete truth.asks;
      return world.down(name, 'stopped').completed(name);
    }
    case 'crash':
      return world.down(name);
    case 'come back':
      return world.up(name);
    case 'cut':
      return world.disconnect(name);
    case 'reconnect':
      truth.connected = true;
      return undefined;
    case 'new life':
      return world.newLife(name);
    case 'time':
      return world.wait(much * 700);
    case 'a long time':
      return world.wait(much * 20_000);
    case 'scale':
      return world.spec({ nodePools: nodePools(1 + (much % 3), who % 4) });
    case 'pause':
      return world.change({ paused: much > 7 });
    case 'approve':
      return own('queued') && world.change(approve(world.ledger, own('queued')!.id, person, world.shown(name)));
    case 'deny':
      return own('queued') && world.change(deny(world.ledger, own('queued')!.id, person));
    case 'revoke':
      return own('granted') && world.change(revoke(world.ledger, own('granted')!.id, person));
    case 'move':
      return Object.assign(truth, { shards: much % 3, lastCopies: Math.max(0, (much % 3) - 1) });
    case 'yellow':
      world.unassigned = much > 6 ? 1 : 0;
      world.moving = much === 5 ? 1 : 0;
      return undefined;
    case 'upgrade':
      return world.spec({ version: much > 4 ? '6.8.24' : '6.8.23' });
    case 'obey':
      return world.obey();
    case 'restart the server':
      return world.restartServer();
  }
}

/** Runs a history, and calls back for every permit at the moment at which it is granted or its use is allowed. */
function live(world: World, history: readonly Happening[], check: (permit: Permit) => void): void {
  for (const happening of history) {
    happen(world, happening);
    const before = new Map(world.ledger.permits.map((permit) => [permit.id, permit.state]));
    world.pass();
    for (const name of world.runtime.keys()) if (!world.members.has(name)) world.up(name).down(name, 'starting');
    for (const permit of world.ledger.permits) {
      if (isOpen(permit) && permit.state !== before.get(permit.id)) check(permit);
    }
  }
}

/** Whoever is not seen to serve, or may go. The runtime's newest are counted as what the plan could not know yet. */
function awayNow(world: World): ReadonlySet<string> {
  const present = Object.values(world.ledger.members)
    .filter((one) => !one.left)
    .map((one) => one.name);
  const serving = (name: string): boolean => {
    const truth = world.members.get(name);
    return truth?.joined === true && truth.connected && truth.phase === 'running';
  };
  const open = new Set(world.ledger.permits.filter(isOpen).map((permit) => permit.member));
  return new Set(present.filter((name) => open.has(name) || !serving(name)));
}

function voters(world: World): { readonly known: number; readonly staying: number } {
  const known = Object.values(world.ledger.members).filter(
    (one) => one.roles.includes('master') && one.joinedOnce && !one.left,
  );
  const open = new Set(world.ledger.permits.filter(isOpen).map((permit) => permit.member));
  const staying = known.filter((one) => world.members.get(one.name)?.joined === true && !open.has(one.name));
  return { known: known.length, staying: staying.length };
}

describe('permits, in whatever order things happen', () => {
  it('are never granted nor used where more than the budget would be away', () => {
    let granted = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), histories, (maxUnavailable, history) => {
        const world = new World(clusterSpec(nodePools(3, 3), { maxUnavailable }));
        live(world, history, (permit) => {
          granted++;
          const away = [...awayNow(world)].sort();
          expect(away.length, `${permit.id} ${permit.state}, away: ${away.join(', ')}`).to.be.at.most(maxUnavailable);
        });
      }),
      { numRuns: 500 },
    );
    expect(granted, 'the property is not empty').to.be.greaterThan(100);
  });

  it('are never granted on evidence that is not complete', () => {
    fc.assert(
      fc.property(
        histories,
        fc.constantFrom('shards', 'lastCopies', 'unassigned', 'unassignedPrimaries', 'moving', 'nodeId', 'processId'),
        (history, lost) => {
          const world = new World(clusterSpec(nodePools(3, 3), { maxUnavailable: 3 }));
          const read = world.evidence.bind(world);
          world.evidence = (member) => {
            const { [lost]: _unknown, ...rest } = { ...read(member) };
            const { nodeId, processId } = read(member);
            return {
              ...rest,
              nodeId: lost === 'nodeId' ? '' : nodeId,
              processId: lost === 'processId' ? '' : processId,
            };
          };
          live(
            world,
            history.filter(({ what }) => what !== 'approve'),
            (permit) => {
              expect.fail(`${permit.id} is ${permit.state} without ${lost}`);
            },
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  for (const maxUnavailable of [1, 2]) {
    it(`never cost the voting quorum where the budget is ${maxUnavailable}`, () => {
      fc.assert(
        fc.property(histories, (history) => {
          const world = new World(clusterSpec(nodePools(1, 2), { maxUnavailable }));
          const calm = history.filter(({ what }) => what !== 'approve');
          live(world, calm, (permit) => {
            if (!world.record(permit.member)!.roles.includes('master')) return;
            const { known, staying } = voters(world);
            const least = Math.floor((permit.verb === 'leave' ? known - 1 : known) / 2) + 1;
            expect(staying, `${permit.id} ${permit.state}: of ${known} voters`).to.be.at.least(least);
          });
        }),
        { numRuns: 400 },
      );
    });
  }

  it('are granted to those whom a person denied only after an approval, and not used once they are revoked', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = new World(clusterSpec(nodePools(3, 3)));
        live(
          world,
          history.filter(({ what }) => what !== 'approve'),
          (permit) => {
            const denied = world.ledger.permits.some(
              (one) => one.state === 'denied' && one.member === permit.member && one.verb === permit.verb,
            );
            expect(denied, permit.id).to.equal(false);
            expect(permit.decidedBy).to.equal('server');
          },
        );
      }),
      { numRuns: 200 },
    );
  });

  it('leave no setting behind once every permit has ended and nobody asks', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = new World(clusterSpec(nodePools(3, 3)));
        live(world, history, () => undefined);
        world.spec({ nodePools: nodePools(3, 3), version: world.ledger.spec.version }).change({ paused: false });
        for (let round = 0; round < 4; round++) {
          for (const name of world.members.keys()) {
            const truth = world.truth(name);
            delete truth.asks;
            delete truth.uses;
            if (world.record(name)?.left) world.down(name, 'stopped');
            else world.up(name).completed(name);
          }
          world.wait(700_000).run();
          for (const name of world.runtime.keys()) if (!world.members.has(name)) world.up(name);
        }
        expect(world.settings.excluded).to.deep.equal([]);
        expect(world.settings.allocation).to.equal('all');
        expect(world.ledger.permits.filter(isOpen)).to.deep.equal([]);
        expect(Object.keys(world.ledger.members)).to.have.length(8);
      }),
      { numRuns: 300 },
    );
  });
});
