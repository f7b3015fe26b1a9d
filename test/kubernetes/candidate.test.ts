/** Servers that want the lease of a real API server. */
import { expect } from 'chai';
import { connect } from '../../server/kubernetes/api.ts';
import { KubernetesLeaseStore } from '../../server/store/kubernetes-lease.ts';
import { systemClock } from '../../shared/clock.ts';
import { candidateContract, run, timing } from '../contract/candidate.contract.ts';
import { startApiServer, type ApiServer } from '../support/kubernetes/apiserver.ts';
import { useBinaries, useKubernetes } from '../support/kubernetes/shared.ts';
import { waitFor } from '../support/wait.ts';

const clock = systemClock(true);

function lease(api: ApiServer, namespace: string): KubernetesLeaseStore {
  const connection = connect(api.config(), clock, timing.ttlMs / 2);
  return new KubernetesLeaseStore(connection, clock, { namespace, name: 'navigator-server' });
}

describe('servers on a lease in Kubernetes', () => {
  const kubernetes = useKubernetes();
  candidateContract(async () => {
    const namespace = await kubernetes().namespace();
    return () => lease(kubernetes().api, namespace);
  });
});

describe('servers on a lease in Kubernetes, when the API server stands still', () => {
  let api: ApiServer;
  useBinaries(async (binaries) => {
    api = await startApiServer(binaries);
  });
  after(async () => (api as ApiServer | undefined)?.stop());

  it('the active one stops by its own clock, and one of them is active again afterwards, in whichever term', async () => {
    const stores = [lease(api, 'default'), lease(api, 'default')];
    const both = stores.map((store, at) => run(`server-${at}`, store));
    const active = (): number[] => both.flatMap(({ candidate }) => candidate.term() ?? []);
    try {
      await waitFor(() => active().length === 1, 'one to be active', 20_000);
      process.kill(api.pids.apiServer, 'SIGSTOP');
      const since = clock.monotonicMs();
      await waitFor(() => active().length === 0, 'none to be active', 10_000);
      expect(clock.monotonicMs() - since).to.be.below(timing.ttlMs + 1_000);
      process.kill(api.pids.apiServer, 'SIGCONT');
      await waitFor(() => active().length === 1, 'one to be active again', 20_000);
    } finally {
      for (const { candidate } of both) candidate.stop();
      await Promise.all(stores.map((store) => store.close()));
    }
  });
});
