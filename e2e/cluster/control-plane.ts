/** The command lines of etcd, the API server, the controllers and the scheduler. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificates } from './certificates.ts';
import type { DaemonOrder } from './daemons.ts';
import { addresses, type Places } from './places.ts';
import type { Programs } from './programs.ts';

export const users = {
  admin: ['system:masters'],
  'system:kube-controller-manager': [],
  'system:kube-scheduler': [],
  'system:kube-proxy': [],
  'system:node:node': ['system:nodes'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type User = keyof typeof users;

const apiUrl = `https://${addresses.node}:${addresses.apiPort}`;
const etcdUrl = 'http://127.0.0.1:2379';

/** Writes how `user` reaches the API, and returns the path. */
export function writeKubeconfig(places: Places, certificates: Certificates, user: User): string {
  const path = user === 'admin' ? places.kubeconfig : join(places.directory, `${user.replaceAll(':', '-')}.kubeconfig`);
  const ca = readFileSync(certificates.ca).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'e2e', cluster: { server: apiUrl, 'certificate-authority-data': ca } }],
    users: [{ name: user, user: { token: certificates.tokens[user] } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user } }],
    'current-context': 'e2e',
  };
  mkdirSync(places.directory, { recursive: true });
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 });
  return path;
}

/** etcd, which need not survive a power cut here. */
export function etcdOrder(places: Places, programs: Programs): DaemonOrder {
  const args = ['--data-dir', join(places.directory, 'etcd'), '--unsafe-no-fsync', '--name', 'e2e'];
  args.push('--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl);
  args.push('--listen-peer-urls', 'http://127.0.0.1:2380', '--initial-advertise-peer-urls', 'http://127.0.0.1:2380');
  args.push('--initial-cluster', 'e2e=http://127.0.0.1:2380');
  return { name: 'etcd', program: programs.etcd, args };
}

/** Every call of Navigator's server is written down, so that its rights can be compared with what it does. */
function writeAuditPolicy(places: Places): string {
  const path = join(places.directory, 'audit-policy.yaml');
  const rules = [{ level: 'Metadata', users: ['system:serviceaccount:navigator-system:navigator'] }, { level: 'None' }];
  const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
  writeFileSync(path, JSON.stringify(policy));
  return path;
}

/** With Node and RBAC authorization, as an installation has them. */
export function apiServerOrder(places: Places, programs: Programs, certificates: Certificates): DaemonOrder {
  const { ca, server, kubeletClient, serviceAccountKey, tokenFile } = certificates;
  const args = [
    `--etcd-servers=${etcdUrl}`,
    `--advertise-address=${addresses.node}`,
    `--secure-port=${addresses.apiPort}`,
    `--cert-dir=${join(places.directory, 'certificates')}`,
    `--tls-cert-file=${server.certificate}`,
    `--tls-private-key-file=${server.key}`,
    `--client-ca-file=${ca}`,
    `--kubelet-client-certificate=${kubeletClient.certificate}`,
    `--kubelet-client-key=${kubeletClient.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--token-auth-file=${tokenFile}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--service-cluster-ip-range=${addresses.services}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${serviceAccountKey}`,
    `--service-account-signing-key-file=${serviceAccountKey}`,
    '--allow-privileged=true',
    `--audit-policy-file=${writeAuditPolicy(places)}`,
    `--audit-log-path=${join(places.directory, 'audit.log')}`,
    '--profiling=false',
  ];
  return { name: 'kube-apiserver', program: programs.apiServer, args };
}

export function controllerManagerOrder(places: Places, programs: Programs, certificates: Certificates): DaemonOrder {
  const args = [
    `--kubeconfig=${writeKubeconfig(places, certificates, 'system:kube-controller-manager')}`,
    '--use-service-account-credentials=true',
    `--root-ca-file=${certificates.ca}`,
    `--service-account-private-key-file=${certificates.serviceAccountKey}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--cert-dir=${join(places.directory, 'certificates')}`,
    // A node that says nothing for a moment, on a machine with other work, does not lose its pods.
    '--node-monitor-grace-period=300s',
    '--profiling=false',
  ];
  return { name: 'kube-controller-manager', program: programs.controllerManager, args };
}

export function schedulerOrder(places: Places, programs: Programs, certificates: Certificates): DaemonOrder {
  const config = `--kubeconfig=${writeKubeconfig(places, certificates, 'system:kube-scheduler')}`;
  const args = [config, '--leader-elect=false', '--bind-address=127.0.0.1', '--profiling=false'];
  return { name: 'kube-scheduler', program: programs.scheduler, args };
}
