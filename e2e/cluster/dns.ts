/** CoreDNS in the cluster, as an installation has it: a Deployment behind the Service that the kubelet tells pods of. */
import { addresses } from './places.ts';

export const corednsImage = 'docker.io/navigator-e2e/coredns:1';

const corefile = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa {
    pods insecure
    ttl 1
  }
  cache 1
}
`;

const named = { name: 'coredns', namespace: 'kube-system' };
const labels = { 'k8s-app': 'kube-dns' };
const rules = [
  { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
];

const container = {
  name: 'coredns',
  image: corednsImage,
  imagePullPolicy: 'Never',
  args: ['-conf', '/etc/coredns/Corefile'],
  ports: [
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
    { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
  ],
  readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
  volumeMounts: [{ name: 'config', mountPath: '/etc/coredns' }],
};

/** Everything of it, for `kubectl apply`. */
export function dnsManifest(): string {
  const rbac = 'rbac.authorization.k8s.io';
  const clusterRole = { apiGroup: rbac, kind: 'ClusterRole', name: 'system:coredns' };
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: named },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'system:coredns' }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: clusterRole,
      subjects: [{ kind: 'ServiceAccount', ...named }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: named, data: { Corefile: corefile } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: named,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'coredns',
            dnsPolicy: 'Default',
            containers: [container],
            volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
      spec: {
        clusterIP: addresses.dns,
        selector: labels,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        ],
      },
    },
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
