/** What only one application has in its pods and Services. Pure. A new application has a part here, and nothing else of this room. */
import type { Application, ClusterSpec, JsonObject } from '../../model/cluster.ts';
import { dataVolume, pilotSecretName } from './names.ts';

export interface DatabasePod {
  /** The official image, without a tag: the tag is the version. */
  readonly image: string;
  /** Where the image has the database. */
  readonly distribution: string;
  /** What clients and tools reach, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** What only peers reach, by name. */
  readonly peerPorts: Readonly<Record<string, number>>;
  /** Flags of the pilot that only this application has. */
  readonly flags: (cluster: ClusterSpec) => Readonly<Record<string, string>>;
  /** Volumes and their mounts beside those that every pod has. */
  readonly volumes: (cluster: ClusterSpec) => readonly JsonObject[];
  readonly mounts: (cluster: ClusterSpec) => readonly JsonObject[];
}

const secretsPlace = '/var/run/navigator/secrets';

/** What is in the Secret that the pods mount. */
export const secretKeys = {
  administrator: 'administrator',
  /** Of the Secret that a person has named. */
  ofUser: (secret: string): string => `${secret}.json`,
  certificate: { chain: 'chain.pem', key: 'pkey.key', ca: 'ca.pem', names: 'names' },
} as const;

/** The Secret with the administrator's credentials: the one that is named, else the one that Navigator makes. */
export function credentialsName({ id, couchbase }: ClusterSpec): string {
  return couchbase?.adminSecret ?? `${id.name}-credentials`;
}

const elasticsearch: DatabasePod = {
  image: 'docker.elastic.co/elasticsearch/elasticsearch',
  distribution: '/usr/share/elasticsearch',
  ports: { http: 9200 },
  peerPorts: { transport: 9300 },
  flags: () => ({}),
  volumes: () => [],
  mounts: () => [],
};

/**
 * The server keeps its settings below its own folder, whatever it is told of paths, so that a part of the volume stands there.
 * What its pilot may read is mounted: nobody in the pod may ask Kubernetes for it.
 */
const couchbase: DatabasePod = {
  image: 'couchbase/server',
  distribution: '/opt/couchbase',
  ports: { admin: 8091, 'admin-tls': 18091, query: 8093, 'query-tls': 18093, data: 11210, 'data-tls': 11207 },
  peerPorts: { distribution: 21100, 'dist-tls': 21150 },
  flags: ({ couchbase: wanted }) => ({
    'credentials-file': `${secretsPlace}/${secretKeys.administrator}`,
    'secrets-directory': secretsPlace,
    ...(wanted?.tls === true && {
      'database-ca-file': `${secretsPlace}/${secretKeys.certificate.ca}`,
      'certificate-directory': secretsPlace,
    }),
  }),
  volumes: (cluster) => [{ name: 'secrets', secret: { secretName: pilotSecretName(cluster), defaultMode: 0o400 } }],
  mounts: () => [
    { name: 'secrets', mountPath: secretsPlace, readOnly: true },
    { name: dataVolume, mountPath: '/opt/couchbase/var/lib/couchbase', subPath: 'couchbase' },
  ],
};

export const databases: Readonly<Record<Application, DatabasePod>> = { elasticsearch, couchbase };
