/** The fake engine keeps the contract that the real ones keep, so that tests on it mean something. */
import { FakeCluster } from '../fakes/engine.ts';
import type { MemberSpec } from '../../pilot/model.ts';
import { engineContract, type EngineWorld, type WorldMember } from './engine.contract.ts';

const spec: MemberSpec = {
  hash: 'first',
  version: '5.6.16',
  roles: ['master', 'data', 'ingest'],
  plugins: [],
  config: {},
  heapBytes: 1,
  seeds: [],
  quorum: 2,
};

function createFakeWorld(): Promise<EngineWorld> {
  const cluster = new FakeCluster();
  const member = (name: string): WorldMember => ({ name, engine: cluster.engine(name), spec });
  const members = [member('shop-all-0'), member('shop-all-1'), member('shop-all-2')] as const;
  const done = Promise.resolve();
  return Promise.resolve({
    members,
    async start(name, own = spec) {
      await cluster.engine(name).prepare(own);
      cluster.start(name);
    },
    stop: (name) => Promise.resolve(cluster.kill(name)).then(() => 143),
    kill: (name) => Promise.resolve(cluster.kill(name)),
    createIndex: (index, shards, replicas) => Promise.resolve(cluster.createIndex(index, shards, replicas)),
    deleteIndex: (index) => Promise.resolve(cluster.deleteIndex(index)),
    write: (index, count) => Promise.resolve(cluster.write(index, count)),
    documents: (index) => Promise.resolve(cluster.documents(index)),
    excludeByHand(names) {
      cluster.excluded = [...names];
      cluster.changed();
      return done;
    },
    plugin: (name) => Promise.resolve(name),
    installed: (name) => Promise.resolve(cluster.node(name).plugins),
    close: () => done,
  });
}

engineContract('the fake', createFakeWorld);
