/**
 * Makes a volume for every claim of the class `standard`, as the storage provisioner of Minikube does: a folder of the node.
 * A claim that grows gets a larger number. A program of its own, beside the cluster.
 */
import { mkdirSync, chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  V1ObjectMeta,
  V1PersistentVolume,
  type V1PersistentVolumeClaim,
} from '@kubernetes/client-node';
import { sleep, systemClock } from '../../shared/clock.ts';

const className = 'standard';
const pollMs = 500;
const clock = systemClock();
const [folder = ''] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(CoreV1Api);
const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

function sizeOf(claim: V1PersistentVolumeClaim): string {
  return claim.spec?.resources?.requests?.['storage'] ?? '1Gi';
}

async function provide(claim: V1PersistentVolumeClaim): Promise<void> {
  const { name = '', namespace = '', uid = '' } = claim.metadata ?? new V1ObjectMeta();
  const path = join(folder, `${namespace}-${name}-${uid}`);
  mkdirSync(path, { recursive: true });
  // A folder of the node belongs to root, whatever the pod's fsGroup is.
  chmodSync(path, 0o777);
  const spec = {
    accessModes: claim.spec?.accessModes ?? ['ReadWriteOnce'],
    capacity: { storage: sizeOf(claim) },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
    hostPath: { path },
    // Taken away here when it is released: the controllers of Kubernetes remove folders below /tmp alone.
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: className,
  };
  const metadata = Object.assign(new V1ObjectMeta(), { name: `pvc-${uid}` });
  const body = Object.assign(new V1PersistentVolume(), { metadata, spec });
  await api.createPersistentVolume({ body });
}

async function grow(claim: V1PersistentVolumeClaim): Promise<void> {
  const { name = '', namespace = '', uid = '' } = claim.metadata ?? new V1ObjectMeta();
  const capacity = { storage: sizeOf(claim) };
  await api.patchPersistentVolume({ name: `pvc-${uid}`, body: { spec: { capacity } } }, merge);
  await api.patchNamespacedPersistentVolumeClaimStatus({ name, namespace, body: { status: { capacity } } }, merge);
}

async function pass(): Promise<void> {
  const [claims, volumes] = [await api.listPersistentVolumeClaimForAllNamespaces(), await api.listPersistentVolume()];
  const known = new Set(volumes.items.map((volume) => volume.metadata?.name));
  for (const claim of claims.items.filter(({ spec }) => spec?.storageClassName === className)) {
    if (!known.has(`pvc-${claim.metadata?.uid ?? ''}`)) await provide(claim);
    else if (claim.status?.phase === 'Bound' && claim.status.capacity?.['storage'] !== sizeOf(claim)) await grow(claim);
  }
  for (const { metadata, spec, status } of volumes.items) {
    if (status?.phase !== 'Released' || spec?.storageClassName !== className) continue;
    await api.deletePersistentVolume({ name: metadata?.name ?? '' });
    if (spec.hostPath?.path.startsWith(`${folder}/`)) rmSync(spec.hostPath.path, { recursive: true, force: true });
  }
}

for (;;) {
  await pass().catch((error: unknown) => console.error(String(error).slice(0, 500)));
  await sleep(clock, pollMs);
}
