/** The time between a pilot's hello and its welcome: it may take a call elsewhere to know who speaks. */
import { expect } from 'chai';
import type { Identity, Refusal, TokenHolder } from '../../server/rpc/access.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { hello, Hostile } from './hostile.ts';
import { demo, Scene } from './scene.ts';

const member = 'demo-node-0';
const holder: TokenHolder = { cluster: 'default/demo', member };

/** Answers when a test lets it. */
class HeldIdentity implements Identity {
  readonly waiting: ((answer: TokenHolder | Refusal | Error) => void)[] = [];

  holderOf(): Promise<TokenHolder | Refusal> {
    return new Promise((done, fail) => {
      this.waiting.push((answer) => (answer instanceof Error ? fail(answer) : done(answer)));
    });
  }
}

describe('while it is not known who speaks', function () {
  this.timeout(60_000);
  let scene: Scene;
  let identity: HeldIdentity;
  let pilot: Hostile;

  beforeEach(async () => {
    identity = new HeldIdentity();
    scene = new Scene({}, { identity });
    scene.runtime.played.add(member);
    await scene.serve();
    await scene.apply(demo(1));
    pilot = new Hostile(scene.target, 'token').read().send(hello(member));
    await scene.until('the question', () => identity.waiting.length === 1);
  });
  afterEach(async () => {
    pilot.close();
    await scene.close();
  });

  const isSeated = (): boolean => scene.cluster.snapshot?.observed.members.get(member)?.connected === true;

  it('nothing more is read of the stream, and all of it is afterwards', async () => {
    pilot.send({ $case: 'hookEvent', value: { id: 'h', hook: 'HOOK_PRE_START', ok: true, message: '' } });
    // Another stream that is heard shows that this one could have been, too.
    const other = new Hostile(scene.target, 'token').read().send(hello(member));
    await scene.until('the other question', () => identity.waiting.length === 2);
    expect(isSeated()).to.equal(false);
    identity.waiting[0]?.(holder);
    await scene.until('its welcome, and the answer to its hook', () => pilot.heard >= 2);
    other.close();
  });

  it('a stream that ends meanwhile takes no seat', async () => {
    pilot.close();
    const other = new Hostile(scene.target, 'token').read().send(hello(member, 'demo', 'another'));
    await scene.until('the other question', () => identity.waiting.length === 2);
    identity.waiting[1]?.(holder);
    await scene.until('its welcome', () => other.heard > 0);
    identity.waiting[0]?.(holder);
    await scene.until('its seat', isSeated);
    expect(scene.cluster.snapshot?.observed.members.get(member)?.incarnation).to.equal('another');
    other.close();
  });

  it('a stream waits for ten seconds, and then the pilot may come again', async () => {
    scene.clock.push(10_000);
    const { code, details } = await pilot.ended;
    expect(code).to.equal('DEADLINE_EXCEEDED');
    expect(details).to.contain('could not be found out in time');
    identity.waiting[0]?.(holder);
    expect(isSeated()).to.equal(false);
  });

  it('what cannot be found out now is no refusal of the token', async () => {
    identity.waiting[0]?.(new NavigatorError('unavailable', 'the API server is away'));
    expect((await pilot.ended).code).to.equal('UNAVAILABLE');
    expect(scene.refusals.counts()).to.deep.equal([]);
  });
});
