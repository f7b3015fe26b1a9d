/** A whole Kubernetes of one node on this machine: brought up in a network namespace of its own, and taken down again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { waitFor } from '../../test/support/wait.ts';
import { makeCertificates } from './certificates.ts';
import { command } from './command.ts';
import * as plane from './control-plane.ts';
import { Daemons } from './daemons.ts';
import { dnsManifest } from './dns.ts';
import { makeNetwork } from './network.ts';
import { containerdOrder, kubeletOrder, nodeName, proxyOrder } from './node.ts';
import type { Places } from './places.ts';
import type { Programs } from './programs.ts';
import { pidsOf, removeRemains } from './remains.ts';
import { provisionerOrder, storageManifest } from './storage.ts';

export interface ClusterOrder {
  readonly places: Places;
  readonly programs: Programs;
  /** Archives of images that the node begins with. */
  readonly images: readonly string[];
  readonly say: (line: string) => void;
}

export interface Cluster {
  readonly places: Places;
  /** kubectl as a member of system:masters. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  importImage(archive: string): Promise<void>;
  /** Ends and removes everything. */
  down(): Promise<void>;
}

const clock = systemClock();
const readyWithinMs = 180_000;
const mapsFile = '/proc/sys/vm/max_map_count';
/** What Elasticsearch's bootstrap checks ask of a host. */
const mapsNeeded = 262_144;

/** Removes what an earlier run may have left, and brings up another one. Whatever fails, nothing stays behind. */
export async function bringUp(order: ClusterOrder): Promise<Cluster> {
  const { places, say } = order;
  await removeRemains(places);
  const maps = Number(readFileSync(mapsFile, 'utf8'));
  if (maps < mapsNeeded) writeFileSync(mapsFile, String(mapsNeeded));
  const daemons = new Daemons(places);
  const down = async (): Promise<void> => {
    daemons.stop();
    await removeRemains(places);
    if (maps < mapsNeeded) writeFileSync(mapsFile, String(maps));
  };
  try {
    const cluster = connect(places, down);
    const since = clock.monotonicMs();
    const passed = (): string => `${((clock.monotonicMs() - since) / 1000).toFixed(1)} s`;
    await startAll(order, daemons, cluster);
    say(`the node is Ready after ${passed()}`);
    await cluster.kubectl(['apply', '-f', '-'], dnsManifest());
    await cluster.kubectl(['apply', '-f', '-'], storageManifest());
    daemons.start(provisionerOrder(places));
    await rolledOut(cluster, 'kube-system', 'coredns');
    say(`CoreDNS is there after ${passed()}; ${pidsOf(places).length} processes`);
    return cluster;
  } catch (error) {
    const logs = ['kube-apiserver', 'kubelet', 'containerd'].map((name) => `--- ${name}\n${daemons.lastLog(name)}`);
    await down();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${logs.join('\n')}`, { cause: error });
  }
}

function connect(places: Places, down: () => Promise<void>): Cluster {
  const inside = (program: string, args: readonly string[], input?: string): Promise<string> =>
    command('nsenter', [`--net=${places.networkNamespace}`, program, ...args], {
      ...(input !== undefined && { input }),
      env: { ...process.env, KUBECONFIG: places.kubeconfig },
      limitMs: readyWithinMs,
    });
  return {
    places,
    kubectl: (args, input) => inside('kubectl', args, input),
    importImage: async (archive) => {
      await command('ctr', ['--address', places.containerdSocket, '-n', 'k8s.io', 'images', 'import', archive], {
        limitMs: readyWithinMs,
      });
    },
    down,
  };
}

async function startAll(order: ClusterOrder, daemons: Daemons, cluster: Cluster): Promise<void> {
  const { places, programs } = order;
  await makeNetwork(places);
  const certificates = await makeCertificates(join(places.directory, 'certificates'), plane.users);
  plane.writeKubeconfig(places, certificates, 'admin');
  daemons.start(plane.etcdOrder(places, programs));
  daemons.start(plane.apiServerOrder(places, programs, certificates));
  daemons.start(containerdOrder(places, programs));
  daemons.start(plane.controllerManagerOrder(places, programs, certificates));
  daemons.start(plane.schedulerOrder(places, programs, certificates));
  await waitFor(() => existsSync(places.containerdSocket), 'containerd', readyWithinMs);
  await Promise.all(order.images.map((image) => cluster.importImage(image)));
  await waitFor(() => cluster.kubectl(['get', '--raw', '/readyz']), 'the API server', readyWithinMs);
  daemons.start(kubeletOrder(places, programs, certificates));
  // kubeadm makes this binding, too: without it kube-proxy may read nothing.
  const binding = ['create', 'clusterrolebinding', 'e2e:node-proxier', '--clusterrole=system:node-proxier'];
  await waitFor(() => cluster.kubectl([...binding, '--user=system:kube-proxy']), 'the role of kube-proxy');
  daemons.start(proxyOrder(places, programs, certificates));
  const ready = ['wait', '--for=condition=Ready', `node/${nodeName}`, '--timeout=5s'];
  await waitFor(() => cluster.kubectl(ready), 'the node to be Ready', readyWithinMs);
}

/** Waits for every replica of a Deployment. */
export async function rolledOut(cluster: Cluster, namespace: string, name: string): Promise<void> {
  await cluster.kubectl(['-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=170s']);
}
