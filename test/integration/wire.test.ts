/** The server's door against those who mean no good: each is refused by name, and nobody else is disturbed. */
import { statSync } from 'node:fs';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { expect } from 'chai';
import type { ConnectRequest, Heartbeat } from '../../proto/navigator/v1/pilot.ts';
import type { Evidence } from '../../proto/navigator/v1/types.ts';
import { ownerAccess } from '../../server/rpc/access.ts';
import { serveOnSocket } from '../../server/rpc/server.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { bytesOf, hello, Hostile } from './hostile.ts';
import { log, Scene } from './scene.ts';

type Message = NonNullable<ConnectRequest['message']>;

const played = 'demo-node-2';
const others = ['demo-node-0', 'demo-node-1'];
const long = 'x'.repeat(20_000);

const process = {
  phase: 'PROCESS_PHASE_RUNNING',
  pid: 1,
  restarts: 0,
  specHash: '',
  version: '',
  lastLog: '',
  doing: '',
} as const;
const node = { nodeId: 'n', processId: 'p', joined: true, version: '6.8.23' };
const cluster = {
  topology: undefined,
  stateVersion: 1n,
  health: 'HEALTH_GREEN',
  nodes: [],
  moving: 0n,
  unassigned: 0n,
  unassignedPrimaries: 0n,
  excluded: [],
  allocation: 'ALLOCATION_ALL',
  documents: 0n,
  electedMaster: '',
  appliedOrder: '',
} as const;

function beat(change: Partial<Heartbeat> = {}): Message {
  return {
    $case: 'heartbeat',
    value: { sequence: 1n, process, leadingTerm: 0n, permits: [], asking: '', ...change } as Heartbeat,
  };
}

function asking(change: Partial<Evidence> = {}): Message {
  const evidence = {
    incarnation: 'hostile',
    nodeId: 'n',
    processId: 'p',
    stateVersion: 1n,
    allocation: 'ALLOCATION_ALL' as const,
    ...change,
  };
  return {
    $case: 'permissionRequest',
    value: { id: 'a', verb: 'VERB_LEAVE', evidence, reason: '', sequence: 1n },
  };
}

/** An asking with a verb that this version of the contract does not have, or whatever else the writer puts there. */
function rawAsking(write: (writer: BinaryWriter) => BinaryWriter): Buffer {
  const request = write(new BinaryWriter().uint32(10).string('a')).finish();
  return Buffer.from(new BinaryWriter().uint32(34).bytes(request).finish());
}

interface Attack {
  readonly title: string;
  readonly code: string;
  readonly says: string;
  readonly send: readonly (Message | Buffer)[];
  /** Whether a proper hello goes before it. */
  readonly greeted?: false;
}

const attacks: readonly Attack[] = [
  { title: 'begins without a hello', code: 'INVALID_ARGUMENT', says: 'hello', send: [beat()], greeted: false },
  {
    title: 'begins with an empty message',
    code: 'INVALID_ARGUMENT',
    says: 'hello',
    send: [Buffer.alloc(0)],
    greeted: false,
  },
  { title: 'says hello twice', code: 'INVALID_ARGUMENT', says: 'hello', send: [hello(played)] },
  { title: 'sends an empty message', code: 'INVALID_ARGUMENT', says: 'message is empty', send: [Buffer.alloc(0)] },
  {
    title: 'sends a message of a kind that is not in the contract',
    code: 'INVALID_ARGUMENT',
    says: 'message is empty, or of a kind',
    send: [
      Buffer.from(
        new BinaryWriter()
          .uint32(99 * 8 + 2)
          .bytes(Buffer.from('x'))
          .finish(),
      ),
    ],
  },
  {
    title: 'asks for a verb that is not in the contract',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.verb',
    send: [rawAsking((writer) => writer.uint32(16).int32(99))],
  },
  {
    title: 'asks for no verb',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.verb',
    send: [rawAsking((writer) => writer)],
  },
  {
    title: 'asks without evidence',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.evidence is missing',
    send: [rawAsking((writer) => writer.uint32(16).int32(4))],
  },
  // The library answers for what cannot be read at all, before the server sees it.
  { title: 'sends bytes that are no message', code: 'INTERNAL', says: 'deserializing', send: [Buffer.alloc(64, 0xff)] },
  {
    title: 'sends a message that breaks off',
    code: 'INTERNAL',
    says: 'deserializing',
    send: [bytesOf(beat()).subarray(0, -1)],
  },
  {
    title: 'sends a message of 2 MiB',
    code: 'RESOURCE_EXHAUSTED',
    says: 'larger than max',
    send: [Buffer.alloc(2 ** 21, 0x0a)],
  },
  {
    title: 'sends a text that is too long',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.process.doing has 20000 characters',
    send: [beat({ process: { ...process, doing: long } })],
  },
  {
    title: 'sends a list that is too long',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.permits has 10001 entries',
    send: [beat({ permits: Array.from({ length: 10_001 }, () => '') })],
  },
  {
    title: 'sends the id of a hook that is too long',
    code: 'INVALID_ARGUMENT',
    says: 'hook_event.id',
    send: [{ $case: 'hookEvent', value: { id: long, hook: 'HOOK_PRE_START', ok: true, message: '' } }],
  },
  {
    title: 'completes a permit whose id is too long',
    code: 'INVALID_ARGUMENT',
    says: 'permit_completion.permit_id',
    send: [{ $case: 'permitCompletion', value: { permitId: long, ok: true, message: '' } }],
  },
  {
    title: 'answers an order whose id is too long',
    code: 'INVALID_ARGUMENT',
    says: 'order_result.id',
    send: [{ $case: 'orderResult', value: { id: long, ok: true, message: '' } }],
  },
  {
    title: 'counts its shards below zero',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.node.shards is -1',
    send: [beat({ node: { ...node, shards: -1n, documents: undefined } })],
  },
  {
    title: 'counts more than a number can hold',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.node.documents is 9223372036854775807',
    send: [beat({ node: { ...node, shards: undefined, documents: 2n ** 63n - 1n } })],
  },
  {
    title: 'leads in a term below zero',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.leading_term is -1',
    send: [beat({ leadingTerm: -1n })],
  },
  {
    title: 'shows evidence of shards below zero',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.evidence.shards is -1',
    send: [asking({ shards: -1n })],
  },
  {
    title: 'shows evidence of voters below zero',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.evidence.live_voters is -1',
    send: [asking({ liveVoters: -1 })],
  },
  {
    title: 'shows evidence of a quorum below zero',
    code: 'INVALID_ARGUMENT',
    says: 'permission_request.evidence.quorum is -1',
    send: [asking({ quorum: -1 })],
  },
  {
    title: 'sees a quorum below zero',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.cluster.quorum is -1',
    send: [beat({ cluster: { ...cluster, nodes: [], excluded: [], quorum: -1 } })],
  },
  {
    title: 'counts its restarts below zero',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.process.restarts is -1',
    send: [beat({ process: { ...process, restarts: -1 } })],
  },
  {
    title: 'names a health that is not in the contract',
    code: 'INVALID_ARGUMENT',
    says: 'heartbeat.cluster.health is UNRECOGNIZED',
    send: [beat({ cluster: { ...cluster, nodes: [], excluded: [], quorum: undefined, health: 'UNRECOGNIZED' } })],
  },
];

describe('the wire', function () {
  this.timeout(60_000);
  let scene: Scene;
  let open: Hostile[] = [];

  before(async () => {
    scene = new Scene();
    scene.runtime.played.add(played);
    await scene.serve();
    await scene.apply(clusterSpec([pool('node', 3)]));
    await scene.until('two members to serve and one to lead', () => {
      const seen = scene.cluster.snapshot?.observed;
      return scene.ledger.leadership.leader !== '' && others.every((name) => seen?.members.get(name)?.node?.joined);
    });
  });
  after(() => scene.close());

  afterEach(async () => {
    for (const hostile of open) hostile.close();
    open = [];
    const clusters = await new Promise<number>((done, fail) => {
      scene.client.listClusters({ pageSize: 0, pageToken: '' }, (error, answer) =>
        error ? fail(error) : done(answer.clusters.length),
      );
    });
    expect(clusters).to.be.greaterThan(0);
    await scene.until(
      'its seat to be empty',
      () => scene.cluster.snapshot?.observed.members.get(played)?.connected !== true,
    );
    for (const name of others) {
      expect(scene.pilot(name).welcomes, name).to.equal(1);
      expect(scene.pilot(name).connected, name).to.equal(true);
    }
  });

  const tokenOf = (member: string, key = 'default/demo'): string => scene.tokens.tokenFor({ cluster: key, member });

  function dial(token: string | undefined): Hostile {
    const hostile = new Hostile(scene.target, token);
    open.push(hostile);
    return hostile;
  }

  for (const { title, code, says, send, greeted } of attacks) {
    it(`a pilot that ${title} is refused with ${code}`, async () => {
      const hostile = dial(tokenOf(played)).read();
      if (greeted !== false) hostile.send(hello(played));
      const ended = await hostile.send(...send).ended;
      expect(ended.code).to.equal(code);
      expect(ended.details).to.contain(says);
    });
  }

  it('a pilot without a token is refused with UNAUTHENTICATED', async () => {
    const { code } = await dial(undefined).read().send(hello(played)).ended;
    expect(code).to.equal('UNAUTHENTICATED');
  });

  for (const token of ['', 'nonsense', 'a.b', 'a.b.c', '.', '~~~']) {
    it(`a pilot with the token ${JSON.stringify(token)} is refused with UNAUTHENTICATED`, async () => {
      const { code } = await dial(token).read().send(hello(played)).ended;
      expect(code).to.equal('UNAUTHENTICATED');
    });
  }

  it('a token with another signature is refused with UNAUTHENTICATED', async () => {
    const [named] = tokenOf(played).split('.');
    const [, signature] = tokenOf('demo-node-1').split('.');
    const { code } = await dial(`${named}.${signature}`).read().send(hello(played)).ended;
    expect(code).to.equal('UNAUTHENTICATED');
  });

  it("another member's token is refused with PERMISSION_DENIED, and takes nobody's seat", async () => {
    const { code } = await dial(tokenOf(played)).read().send(hello('demo-node-0')).ended;
    expect(code).to.equal('PERMISSION_DENIED');
  });

  it("another cluster's token is refused with PERMISSION_DENIED", async () => {
    const { code } = await dial(tokenOf(played, 'default/other')).read().send(hello(played)).ended;
    expect(code).to.equal('PERMISSION_DENIED');
  });

  it('the token of a removed cluster is refused with NOT_FOUND', async () => {
    const id = { namespace: 'default', name: 'brief' };
    await scene.apply(clusterSpec([pool('node', 1)], { id }));
    const loop = scene.loop.get(id);
    await scene.until('its member to serve', () => loop.snapshot?.observed.members.get('brief-node-0')?.node?.joined);
    await loop.change((ledger) => ({ ...ledger, deleting: true }));
    await scene.until('it to be gone', () => scene.loop.list().every(({ key }) => key !== 'default/brief'));
    const { code, details } = await dial(tokenOf('brief-node-0', 'default/brief'))
      .read()
      .send(hello('brief-node-0', 'brief')).ended;
    expect(code).to.equal('NOT_FOUND');
    expect(details).to.contain('default/brief');
  });

  it('the token of a member that is not in the cluster is refused with NOT_FOUND', async () => {
    const { code } = await dial(tokenOf('demo-node-9')).read().send(hello('demo-node-9')).ended;
    expect(code).to.equal('NOT_FOUND');
  });

  it('a stream on which nobody says anything is ended with DEADLINE_EXCEEDED', async () => {
    const hostile = dial(tokenOf(played)).read();
    // Another stream that is answered shows that the silent one has been taken in, too.
    await dial(undefined).read().send(hello(played)).ended;
    scene.clock.push(10_000);
    expect((await hostile.ended).code).to.equal('DEADLINE_EXCEEDED');
  });

  it('the older of two streams of one member is ended with ABORTED', async () => {
    const older = dial(tokenOf(played)).read().send(hello(played));
    await scene.until('the first to be welcomed', () => older.heard > 0);
    const younger = dial(tokenOf(played))
      .read()
      .send(hello(played, 'demo', 'another'));
    expect((await older.ended).code).to.equal('ABORTED');
    await scene.until('the second to be welcomed', () => younger.heard > 0);
    expect(scene.cluster.snapshot?.observed.members.get(played)?.connected).to.equal(true);
  });

  it('an error that nobody foresaw is told as INTERNAL, and without its text', async () => {
    const { tokens } = scene;
    const holderOf = tokens.holderOf.bind(tokens);
    tokens.holderOf = () => {
      throw new Error('the text of a library');
    };
    try {
      const { code, details } = await dial(tokenOf(played)).read().send(hello(played)).ended;
      expect(code).to.equal('INTERNAL');
      expect(details).to.equal('internal error; the server has logged it');
    } finally {
      tokens.holderOf = holderOf;
    }
  });

  it('a pilot that floods the server and does not read is ended with RESOURCE_EXHAUSTED', async () => {
    const hostile = dial(tokenOf(played)).send(hello(played));
    await scene.until('its seat', () => scene.cluster.snapshot?.observed.members.get(played)?.connected);
    const id = 'x'.repeat(200);
    for (let count = 0; count < 3_000; count++) {
      hostile.send({ $case: 'hookEvent', value: { id, hook: 'HOOK_PRE_START', ok: true, message: '' } });
    }
    await scene.until('its end', () => scene.cluster.snapshot?.observed.members.get(played)?.connected === false);
    expect((await hostile.read().ended).code).to.equal('RESOURCE_EXHAUSTED');
    expect(hostile.heard).to.be.lessThan(2_000);
  });

  it('the socket can be opened by its owner alone', () => expect(statSync(scene.socket).mode & 0o777).to.equal(0o600));

  it('a second server on the same socket is refused', async () => {
    const { loop, events, tokens: identity, clock, refusals } = scene;
    const ports = { loop, events, identity, access: ownerAccess, refusals, clock, log, wallMs: () => 0 };
    const refused = await serveOnSocket(scene.socket, ports).then(() => undefined, NavigatorError.from);
    expect(refused?.code).to.equal('already_exists');
    expect(refused?.message).to.contain(scene.socket);
  });
});
