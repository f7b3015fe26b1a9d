/** Manifests with the fields that those of the first Navigator had in 2017 and 2018. */
import type { Tree } from './manifest.table.ts';

const head = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster' };
const pilotImage = { repository: 'example.com/navigator-pilot-elasticsearch', tag: 'v0.1.0', pullPolicy: 'Always' };
const resources = { requests: { cpu: '500m', memory: '2Gi' }, limits: { cpu: '1', memory: '3Gi' } };
const volume = { enabled: true, size: '10Gi', storageClass: 'default' };

/** What each is, and what it says. */
export const legacyManifests: readonly (readonly [string, Tree])[] = [
  [
    'the demonstration with three pools',
    {
      ...head,
      metadata: { name: 'demo' },
      spec: {
        version: '5.6.2',
        sysctls: ['vm.max_map_count=262144'],
        securityContext: { runAsUser: 1000 },
        pilotImage,
        nodePools: [
          { name: 'master', replicas: 3, roles: ['master'], resources, persistence: volume },
          { name: 'ingest', replicas: 2, roles: ['ingest'], resources, persistence: { enabled: false } },
          {
            name: 'data',
            replicas: 3,
            roles: ['data'],
            nodeSelector: { 'example.com/disk': 'fast' },
            schedulerName: 'own-scheduler',
            config: { 'node.attr.rack': 'r1' },
            resources,
            persistence: volume,
          },
        ],
      },
    },
  ],
  [
    'the test cluster of one member without a volume',
    {
      ...head,
      metadata: { name: 'test' },
      spec: {
        minimumMasters: 1,
        version: '5.6.2',
        paused: false,
        sysctls: ['vm.max_map_count=262144'],
        securityContext: { runAsUser: 1000 },
        pilotImage,
        nodePools: [
          {
            name: 'mixed',
            replicas: 1,
            roles: ['master', 'ingest', 'data'],
            resources: { requests: { cpu: '500m', memory: '2Gi' } },
            persistence: { enabled: false },
          },
        ],
      },
    },
  ],
  [
    'the oldest form',
    {
      ...head,
      metadata: { name: 'mixed' },
      spec: {
        version: '5.6.2',
        plugins: [{ name: 'analysis-icu' }],
        sysctl: ['vm.max_map_count=262144'],
        image: { repository: 'example.com/pilot-elasticsearch', tag: 'latest', pullPolicy: 'Always', fsGroup: 1000 },
        nodePools: [
          {
            name: 'mixed',
            replicas: 5,
            roles: ['data', 'ingest', 'master'],
            resources,
            state: { stateful: true, persistence: { enabled: true, size: '5Gi', storageClass: 'fast' } },
          },
        ],
      },
    },
  ],
];
