/** The servers' lease on the real API server. */
import { expect } from 'chai';
import { connect } from '../../server/kubernetes/api.ts';
import { KubernetesLeaseStore } from '../../server/store/kubernetes-lease.ts';
import { systemClock } from '../../shared/clock.ts';
import { leaseContract } from '../contract/lease.contract.ts';
import { codeOf } from '../contract/store.contract.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';

const clock = systemClock(true);
const name = 'navigator-server';

describe('the lease in Kubernetes', () => {
  const kubernetes = useKubernetes();
  const pathOf = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;

  function open(namespace: string, user: 'admin' | 'nobody' = 'admin'): KubernetesLeaseStore {
    return new KubernetesLeaseStore(connect(kubernetes().api.config(user), clock), clock, { namespace, name });
  }

  describe('keeps the contract', () => {
    leaseContract(async () => {
      const namespace = await kubernetes().namespace();
      const remove = async (): Promise<void> => {
        await kubernetes().call('DELETE', pathOf(namespace));
      };
      return { store: open(namespace), remove };
    });
  });

  it('is a Lease as people know it', async () => {
    const namespace = await kubernetes().namespace();
    const store = open(namespace);
    await store.write({ holder: 'server-a', term: 4, ttlMs: 14_200 }, undefined);
    const { spec } = (await kubernetes().call('GET', pathOf(namespace))).body;
    expect(spec).to.deep.include({ holderIdentity: 'server-a', leaseTransitions: 4, leaseDurationSeconds: 15 });
    expect(spec.renewTime).to.match(/^20\d\d-.*\.\d{6}Z$/);
    // Whole seconds are kept: holder and challengers count by what was written.
    expect((await store.read())?.ttlMs).to.equal(15_000);
    await store.close();
  });

  it('is for those who may', async () => {
    const store = open(await kubernetes().namespace(), 'nobody');
    expect(await codeOf(store.read())).to.equal('forbidden');
    expect(await codeOf(store.write({ holder: 'x', term: 1, ttlMs: 1_000 }, undefined))).to.equal('forbidden');
    await store.close();
  });

  it('is nothing where there is no namespace', async () => {
    const store = open('nowhere');
    expect(await codeOf(store.write({ holder: 'x', term: 1, ttlMs: 1_000 }, undefined))).to.equal('not_found');
    await store.close();
  });
});
