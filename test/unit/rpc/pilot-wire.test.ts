/** What a pilot sends is taken in as it is meant, or refused by the name of the field; nothing else can come of it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ConnectRequest, Hello } from '../../../proto/navigator/v1/pilot.ts';
import { fromWire, helloFromWire } from '../../../server/rpc/pilot-wire.ts';
import { NavigatorError } from '../../../shared/errors.ts';

type Tree = Record<string, unknown>;

const evidence = {
  incarnation: 'life',
  nodeId: 'n',
  processId: 'p',
  stateVersion: 7n,
  shards: 0n,
  allocation: 'ALLOCATION_ALL',
};
const good: Readonly<Record<string, Tree>> = {
  heartbeat: {
    sequence: 1n,
    process: { phase: 'PROCESS_PHASE_RUNNING', pid: 1, restarts: 0, specHash: '', version: '', lastLog: '', doing: '' },
    node: { nodeId: 'n', processId: 'p', joined: true, shards: 3n, documents: 4n, version: '6' },
    cluster: {
      stateVersion: 1n,
      health: 'HEALTH_GREEN',
      nodes: ['a'],
      moving: 0n,
      unassigned: 0n,
      unassignedPrimaries: 0n,
      excluded: [],
      allocation: 'ALLOCATION_ALL',
      documents: 0n,
      electedMaster: 'a',
      appliedOrder: '',
    },
    leadingTerm: 0n,
    permits: [],
    asking: '',
  },
  hookEvent: { id: 'h', hook: 'HOOK_PRE_STOP', ok: true, message: '' },
  permissionRequest: { id: 'r', verb: 'VERB_LEAVE', evidence, reason: '', sequence: 1n },
  permitUse: { permitId: 'p', evidence },
  permitCompletion: { permitId: 'p', ok: true, message: '' },
  orderResult: { id: 'o', ok: true, message: '' },
};

/** The good message with one field, a path of names, changed. */
function changed($case: string, path: string, value: unknown): ConnectRequest {
  const whole = structuredClone(good[$case])!;
  const names = path.split('.');
  const last = names.pop()!;
  const at = names.reduce<Tree>((tree, name) => tree[name] as Tree, whole);
  at[last] = value;
  return { message: { $case, value: whole } } as unknown as ConnectRequest;
}

const long = 'x'.repeat(16_385);
const wide = Array.from({ length: 10_001 }, () => 'x');
const huge = 2n ** 53n;

/** Message, path, nonsense, and the field's name on the wire. */
const rows: readonly (readonly [string, string, unknown, string])[] = [
  ['heartbeat', 'process', undefined, 'heartbeat.process is missing'],
  ['heartbeat', 'process.phase', 'UNRECOGNIZED', 'heartbeat.process.phase is UNRECOGNIZED'],
  ['heartbeat', 'process.specHash', long, 'heartbeat.process.spec_hash'],
  ['heartbeat', 'process.version', long, 'heartbeat.process.version'],
  ['heartbeat', 'process.lastLog', long, 'heartbeat.process.last_log'],
  ['heartbeat', 'process.doing', long, 'heartbeat.process.doing'],
  ['heartbeat', 'leadingTerm', huge, 'heartbeat.leading_term'],
  ['heartbeat', 'permits', wide, 'heartbeat.permits has 10001'],
  ['heartbeat', 'permits', [long], 'heartbeat.permits'],
  ['heartbeat', 'asking', long, 'heartbeat.asking'],
  ['heartbeat', 'node.nodeId', long, 'heartbeat.node.node_id'],
  ['heartbeat', 'node.processId', long, 'heartbeat.node.process_id'],
  ['heartbeat', 'node.shards', huge, 'heartbeat.node.shards'],
  ['heartbeat', 'node.documents', -1n, 'heartbeat.node.documents'],
  ['heartbeat', 'cluster.stateVersion', huge, 'heartbeat.cluster.state_version'],
  ['heartbeat', 'cluster.health', 'UNRECOGNIZED', 'heartbeat.cluster.health'],
  ['heartbeat', 'cluster.nodes', wide, 'heartbeat.cluster.nodes'],
  ['heartbeat', 'cluster.moving', huge, 'heartbeat.cluster.moving'],
  ['heartbeat', 'cluster.unassigned', huge, 'heartbeat.cluster.unassigned'],
  ['heartbeat', 'cluster.unassignedPrimaries', huge, 'heartbeat.cluster.unassigned_primaries'],
  ['heartbeat', 'cluster.excluded', wide, 'heartbeat.cluster.excluded'],
  ['heartbeat', 'cluster.allocation', 'ALLOCATION_UNSPECIFIED', 'heartbeat.cluster.allocation'],
  ['heartbeat', 'cluster.electedMaster', long, 'heartbeat.cluster.elected_master'],
  ['heartbeat', 'cluster.appliedOrder', long, 'heartbeat.cluster.applied_order'],
  ['hookEvent', 'hook', 'HOOK_UNSPECIFIED', 'hook_event.hook is HOOK_UNSPECIFIED'],
  ['hookEvent', 'hook', 'UNRECOGNIZED', 'hook_event.hook'],
  ['hookEvent', 'message', long, 'hook_event.message'],
  ['hookEvent', 'id', '', 'hook_event.id is missing'],
  ['hookEvent', 'id', 'x'.repeat(254), 'hook_event.id has 254'],
  ['permissionRequest', 'id', '', 'permission_request.id is missing'],
  ['permissionRequest', 'id', 'x'.repeat(254), 'permission_request.id'],
  ['permissionRequest', 'verb', 'VERB_UNSPECIFIED', 'permission_request.verb is VERB_UNSPECIFIED'],
  ['permissionRequest', 'verb', 'UNRECOGNIZED', 'permission_request.verb'],
  ['permissionRequest', 'evidence', undefined, 'permission_request.evidence is missing'],
  ['permissionRequest', 'evidence.incarnation', '', 'permission_request.evidence.incarnation is missing'],
  ['permissionRequest', 'evidence.stateVersion', huge, 'permission_request.evidence.state_version'],
  ['permissionRequest', 'evidence.shards', huge, 'permission_request.evidence.shards'],
  ['permissionRequest', 'evidence.lastCopies', huge, 'permission_request.evidence.last_copies'],
  ['permissionRequest', 'evidence.unassignedPrimaries', huge, 'permission_request.evidence.unassigned_primaries'],
  ['permissionRequest', 'evidence.unassigned', huge, 'permission_request.evidence.unassigned'],
  ['permissionRequest', 'evidence.moving', huge, 'permission_request.evidence.moving'],
  ['permissionRequest', 'evidence.allocation', 'UNRECOGNIZED', 'permission_request.evidence.allocation'],
  ['permissionRequest', 'reason', long, 'permission_request.reason'],
  ['permissionRequest', 'sequence', huge, 'permission_request.sequence'],
  ['permitUse', 'permitId', '', 'permit_use.permit_id is missing'],
  ['permitUse', 'permitId', 'x'.repeat(513), 'permit_use.permit_id'],
  ['permitUse', 'evidence', undefined, 'permit_use.evidence is missing'],
  ['permitCompletion', 'message', long, 'permit_completion.message'],
  ['permitCompletion', 'permitId', '', 'permit_completion.permit_id is missing'],
  ['permitCompletion', 'permitId', 'x'.repeat(513), 'permit_completion.permit_id has 513'],
  ['orderResult', 'message', long, 'order_result.message'],
  ['orderResult', 'id', '', 'order_result.id is missing'],
  ['orderResult', 'id', 'x'.repeat(254), 'order_result.id has 254'],
];

function refusal(work: () => unknown): NavigatorError {
  try {
    work();
  } catch (thrown) {
    expect(thrown).to.be.instanceOf(NavigatorError);
    return thrown as NavigatorError;
  }
  throw new Error('it was accepted');
}

describe('a message of a pilot', () => {
  for (const $case of Object.keys(good)) {
    it(`${$case} is taken in as it is`, () => {
      expect(fromWire({ message: { $case, value: good[$case] } } as unknown as ConnectRequest)).to.have.property(
        'kind',
      );
    });
  }

  it('with evidence that leaves things out leaves them unknown', () => {
    const request = changed('permitUse', 'evidence.allocation', 'ALLOCATION_UNSPECIFIED');
    const taken = fromWire(request);
    expect(taken).to.deep.equal({
      kind: 'use',
      permitId: 'p',
      evidence: { incarnation: 'life', nodeId: 'n', processId: 'p', stateVersion: 7, shards: 0 },
    });
  });

  for (const [$case, path, nonsense, message] of rows) {
    const shown =
      typeof nonsense === 'bigint'
        ? `${nonsense}`
        : Array.isArray(nonsense)
          ? `${nonsense.length} entries`
          : String(nonsense).slice(0, 24);
    it(`is refused by name: ${$case}.${path} = ${shown || "''"}`, () => {
      const refused = refusal(() => fromWire(changed($case, path, nonsense)));
      expect(refused.code).to.equal('invalid');
      expect(refused.message).to.include(message);
    });
  }

  it('is refused where it is empty, or a second hello', () => {
    expect(refusal(() => fromWire({ message: undefined })).message).to.include('message is empty');
    const hello = Hello.fromPartial({ cluster: 'c', member: 'm', incarnation: 'i' });
    expect(refusal(() => fromWire({ message: { $case: 'hello', value: hello } })).message).to.include('hello');
  });

  const hellos: readonly (readonly [string, Partial<Hello>])[] = [
    ['hello.cluster', { cluster: '' }],
    ['hello.member', { member: '' }],
    ['hello.incarnation', { incarnation: '' }],
    ['hello.namespace', { namespace: long }],
    ['hello.application', { application: long }],
    ['hello.pilot_version', { pilotVersion: long }],
    ['hello.highest_term', { highestTerm: huge }],
    ['hello.permits', { permits: wide }],
  ];
  for (const [field, change] of hellos) {
    it(`is refused by name: ${field}`, () => {
      const hello = Hello.fromPartial({ cluster: 'c', member: 'm', incarnation: 'i', ...change });
      expect(refusal(() => helloFromWire(hello)))
        .to.include({ code: 'invalid' })
        .and.property('message')
        .include(field);
    });
  }

  it('a hello without a namespace is of the default one', () => {
    expect(
      helloFromWire(Hello.fromPartial({ cluster: 'c', member: 'm', incarnation: 'i' })).cluster.namespace,
    ).to.equal('default');
  });
});

describe('arbitrary bytes', () => {
  function takeIn(bytes: Uint8Array): void {
    let request: ConnectRequest;
    try {
      request = ConnectRequest.decode(bytes);
    } catch {
      return; // gRPC itself refuses what is no message.
    }
    try {
      fromWire(request);
      if (request.message?.$case === 'hello') helloFromWire(request.message.value);
    } catch (thrown) {
      expect(thrown).to.be.instanceOf(NavigatorError);
      expect((thrown as NavigatorError).code).to.equal('invalid');
    }
  }

  it('come to a message or to a refusal', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), takeIn), { numRuns: 500 });
  });

  it('come to a message or to a refusal, also as a good message with some bytes changed', () => {
    const encoded = Object.entries(good).map(([$case, value]) =>
      ConnectRequest.encode(ConnectRequest.fromPartial({ message: { $case, value } } as never)).finish(),
    );
    const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...encoded), changes, (bytes, some) => {
        const copy = Uint8Array.from(bytes);
        for (const [at, value] of some) copy[at % copy.length] = value;
        takeIn(copy);
      }),
      { numRuns: 500 },
    );
  });

  it('come to a message or to a refusal, as any fields of the right types', () => {
    const text = fc.string({ maxLength: 20 });
    const any = fc.oneof(text, fc.bigInt(), fc.double(), fc.boolean(), fc.constant(undefined));
    const fields = rows.map(([$case, path]) => [$case, path] as const);
    fc.assert(
      fc.property(fc.constantFrom(...fields), any, ([$case, path], value) => {
        const request = ConnectRequest.fromPartial({
          message: { $case, value: structuredClone(good[$case]) },
        } as never);
        const type = typeof at(good[$case]!, path);
        fc.pre(type === typeof value);
        expect(request.message).to.not.equal(undefined);
        try {
          fromWire(changed($case, path, value));
        } catch (thrown) {
          expect(thrown).to.be.instanceOf(NavigatorError).with.property('code', 'invalid');
        }
      }),
      { numRuns: 500 },
    );
  });
});

function at(tree: Tree, path: string): unknown {
  return path.split('.').reduce<unknown>((part, name) => (part as Tree | undefined)?.[name], tree);
}
