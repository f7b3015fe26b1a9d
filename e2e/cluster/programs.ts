/** Every program that the cluster consists of, built or installed where it is missing. */
import { existsSync } from 'node:fs';
import { grpcurl } from '../../test/support/grpcurl.ts';
import { findBinaries, kubernetesProgram } from '../../test/support/kubernetes/binaries.ts';
import { needPrograms, onPath } from '../../test/support/tools/debian.ts';
import { goProgram } from '../../test/support/tools/go.ts';

export interface Programs {
  readonly etcd: string;
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kubelet: string;
  readonly proxy: string;
  readonly containerd: string;
  readonly runc: string;
  /** The folder of the CNI plugins. */
  readonly cniPlugins: string;
  readonly coredns: string;
  readonly grpcurl: string;
}

type Say = (line: string) => void;

const packages = {
  etcd: 'etcd-server',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  bridge: 'containernetworking-plugins',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  nsenter: 'util-linux',
  sysctl: 'procps',
  openssl: 'openssl',
  buildah: 'buildah',
  debootstrap: 'debootstrap',
  gcc: 'gcc',
  mvn: 'maven',
};

/** Finds or makes them, one build after the other: each of them uses every processor. */
export async function findPrograms(say: Say): Promise<Programs> {
  if (process.getuid?.() !== 0)
    throw new Error('the cluster is brought up by root: or set KUBECONFIG, and use another');
  await needPrograms(packages, say);
  const { etcd, apiServer } = await findBinaries(say);
  const coredns = { module: 'coredns', versionOf: 'github.com/coredns/coredns', package: '.' };
  return {
    etcd,
    apiServer,
    controllerManager: await kubernetesProgram('kube-controller-manager', say),
    scheduler: await kubernetesProgram('kube-scheduler', say),
    kubelet: await kubernetesProgram('kubelet', say),
    proxy: await kubernetesProgram('kube-proxy', say),
    containerd: onPath('containerd') ?? 'containerd',
    runc: onPath('runc') ?? 'runc',
    cniPlugins: ['/usr/lib/cni', '/opt/cni/bin'].find((path) => existsSync(path)) ?? '/usr/lib/cni',
    coredns: await goProgram({ program: 'coredns', ...coredns }, say),
    grpcurl: await grpcurl(say),
  };
}
