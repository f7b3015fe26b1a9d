/** The one node: containerd, kubelet and kube-proxy, each with folders and sockets of this cluster alone. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificates } from './certificates.ts';
import { writeKubeconfig } from './control-plane.ts';
import type { DaemonOrder } from './daemons.ts';
import { cniConfig } from './network.ts';
import { addresses, type Places } from './places.ts';
import type { Programs } from './programs.ts';

export const pauseImage = 'docker.io/navigator-e2e/pause:1';

/** The name that the node has in the cluster. */
export const nodeName = 'node';

function folderOf(places: Places, name: string): string {
  const path = join(places.directory, name);
  mkdirSync(path, { recursive: true });
  return path;
}

export function containerdOrder(places: Places, programs: Programs): DaemonOrder {
  const cni = folderOf(places, 'cni');
  writeFileSync(join(cni, '10-pods.conflist'), cniConfig(folderOf(places, 'addresses')));
  mkdirSync(places.runtime, { recursive: true });
  const config = `version = 2
root = "${folderOf(places, 'containerd')}"
state = "${places.runtime}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${places.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folderOf(places, 'opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without it runc cannot start anything on a kernel that lets no process lower its own score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = "${programs.runc}"
  Root = "${places.runtime}/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${programs.cniPlugins}"
  conf_dir = "${cni}"
`;
  const path = join(places.directory, 'containerd.toml');
  writeFileSync(path, config);
  return { name: 'containerd', program: programs.containerd, args: ['--config', path] };
}

export function kubeletOrder(places: Places, programs: Programs, certificates: Certificates): DaemonOrder {
  // Nothing outside has a name here.
  writeFileSync(join(places.directory, 'resolv.conf'), '');
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: certificates.ca },
    },
    authorization: { mode: 'Webhook' },
    address: addresses.node,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${places.name}`,
    // The last release that runs on control groups of the first version says so only when asked.
    failCgroupV1: !existsSync('/sys/fs/cgroup/memory'),
    failSwapOn: false,
    clusterDNS: [addresses.dns],
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: `unix://${places.containerdSocket}`,
    enforceNodeAllocatable: ['none'],
    // The disk and the memory are those of a machine with other work.
    evictionHard: { 'memory.available': '64Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    podLogsDir: folderOf(places, 'pods'),
    resolvConf: join(places.directory, 'resolv.conf'),
    volumePluginDir: folderOf(places, 'volume-plugins'),
    shutdownGracePeriod: '0s',
  };
  const path = join(places.directory, 'kubelet.yaml');
  writeFileSync(path, JSON.stringify(config, null, 2));
  const args = [
    `--config=${path}`,
    `--kubeconfig=${writeKubeconfig(places, certificates, 'system:node:node')}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${addresses.node}`,
    `--root-dir=${folderOf(places, 'kubelet')}`,
    `--cert-dir=${folderOf(places, 'kubelet-certificates')}`,
  ];
  return { name: 'kubelet', program: programs.kubelet, args };
}

export function proxyOrder(places: Places, programs: Programs, certificates: Certificates): DaemonOrder {
  const args = [
    `--kubeconfig=${writeKubeconfig(places, certificates, 'system:kube-proxy')}`,
    `--hostname-override=${nodeName}`,
    '--proxy-mode=iptables',
    `--cluster-cidr=${addresses.pods}`,
    // Limits that are the whole machine's, and are left as they are.
    '--conntrack-max-per-core=0',
    '--conntrack-tcp-timeout-established=0',
    '--conntrack-tcp-timeout-close-wait=0',
  ];
  return { name: 'kube-proxy', program: programs.proxy, args };
}
