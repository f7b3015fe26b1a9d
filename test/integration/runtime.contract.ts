/** What every runtime promises. No server is needed: a pilot that has heard nothing looks after nothing, and ends when asked. */
import { expect } from 'chai';
import type { MemberRecord } from '../../server/model/ledger.ts';
import type { Runtime } from '../../server/runtime/runtime.ts';
import { clusterSpec, pool, record } from '../support/model.ts';
import { waitFor } from '../support/wait.ts';

/** The suite. `make` is called for each test; `versions` are two that the runtime can run. */
export function runtimeContract(make: () => Promise<Runtime>, versions: readonly [string, string]): void {
  const [before, after] = versions;
  const cluster = clusterSpec([pool('node', 2)], { version: before });
  const one = record(0, { version: before });
  const two = record(1, { version: before });
  let runtime: Runtime;
  const seen = async (): Promise<unknown[]> =>
    (await runtime.observe(cluster))
      .map(({ name, version, alive }) => `${name} ${version} ${alive ? 'alive' : 'dead'}`)
      .sort();
  const shown = ({ name, version }: MemberRecord): string => `${name} ${version} alive`;

  beforeEach(async () => {
    runtime = await make();
    await runtime.prepare(cluster);
  });
  afterEach(async () => {
    for (const member of [one, two]) await runtime.remove(cluster, member, false);
    await runtime.close();
  });

  it('holds nothing at first', async () => {
    expect(await seen()).to.deep.equal([]);
  });

  it('gives every member an address of its own, and the same one every time', async () => {
    const names = [one.name, two.name];
    const first = await runtime.addresses(cluster, names);
    expect([...first.keys()]).to.deep.equal(names);
    expect(new Set(first.values()).size).to.equal(2);
    await runtime.create(cluster, one);
    expect(await runtime.addresses(cluster, names)).to.deep.equal(first);
  });

  it('makes a member once, however often it is asked', async () => {
    await runtime.create(cluster, one);
    await runtime.create(cluster, one);
    await runtime.create(cluster, two);
    expect(await seen()).to.deep.equal([shown(one), shown(two)]);
  });

  it('keeps the members of one cluster from those of another', async () => {
    await runtime.create(cluster, one);
    const other = { ...cluster, id: { namespace: 'default', name: 'other' } };
    expect(await runtime.observe(other)).to.deep.equal([]);
  });

  it('launches a member for another version, and nobody but that member', async () => {
    await runtime.create(cluster, one);
    await runtime.create(cluster, two);
    const next = { ...one, version: after };
    await runtime.replace(cluster, next);
    expect(await seen()).to.deep.equal([shown(next), shown(two)]);
  });

  it('does not end a pilot that runs for the version already', async () => {
    const changes: string[] = [];
    runtime.onChange((key) => changes.push(key));
    await runtime.create(cluster, one);
    await runtime.replace(cluster, one);
    await runtime.remove(cluster, one, false);
    await waitFor(() => changes.length > 0, 'the change', 10_000);
    expect(changes).to.have.length(1);
  });

  it('forgets a member that is removed, whether or not its data stays', async () => {
    await runtime.create(cluster, one);
    await runtime.create(cluster, two);
    await runtime.remove(cluster, one, true);
    expect(await seen()).to.deep.equal([shown(two)]);
    await runtime.remove(cluster, two, false);
    expect(await seen()).to.deep.equal([]);
  });

  it('removes a member that it does not have without a word', async () => {
    await runtime.remove(cluster, one, false);
    expect(await seen()).to.deep.equal([]);
  });

  it('says when a pilot has gone, until it is closed', async () => {
    const changes: string[] = [];
    runtime.onChange((key) => changes.push(key));
    await runtime.create(cluster, one);
    await runtime.remove(cluster, one, false);
    await waitFor(() => changes.includes('default/demo'), 'the change', 10_000);
  });
}
