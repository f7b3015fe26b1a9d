/** What the cluster is called on this machine and where it lies. Everything of it bears its name, so that it can be found. */
import { join } from 'node:path';

export interface Places {
  readonly name: string;
  /** On a disk: images, volumes, logs. Removed with the cluster. */
  readonly directory: string;
  /** Short, for the paths of sockets are. */
  readonly runtime: string;
  readonly logs: string;
  readonly containerdSocket: string;
  /** Access as a member of system:masters, usable inside the network namespace. */
  readonly kubeconfig: string;
  readonly networkNamespace: string;
}

export const addresses = {
  node: '10.219.0.1',
  services: '10.96.0.0/16',
  kubernetesService: '10.96.0.1',
  dns: '10.96.0.10',
  pods: '10.244.0.0/24',
  apiPort: 6443,
} as const;

/** Where the folders of clusters are. */
export const placesUnder = '/var/lib';

/** The places of the cluster of this name. Two names are two clusters, which can live side by side. */
export function placesOf(name: string): Places {
  if (!/^[a-z][a-z0-9-]{0,20}$/.test(name)) throw new Error(`"${name}" cannot be the name of a cluster`);
  const directory = join(placesUnder, name);
  const runtime = join('/run', name);
  return {
    name,
    directory,
    runtime,
    logs: join(directory, 'logs'),
    containerdSocket: join(runtime, 'containerd.sock'),
    kubeconfig: join(directory, 'admin.kubeconfig'),
    networkNamespace: `/run/netns/${name}`,
  };
}
