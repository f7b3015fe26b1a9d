/** The default class of volumes, and who provides them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonOrder } from './daemons.ts';
import type { Places } from './places.ts';

/** As in Minikube: the default, and volumes may grow. */
export function storageManifest(): string {
  return JSON.stringify({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'navigator-e2e/node-folder',
    allowVolumeExpansion: true,
    reclaimPolicy: 'Delete',
  });
}

export function provisionerOrder(places: Places): DaemonOrder {
  const folder = join(places.directory, 'volumes');
  mkdirSync(folder, { recursive: true });
  const program = join(import.meta.dirname, 'provisioner.ts');
  const args = [`KUBECONFIG=${places.kubeconfig}`, process.execPath, program, folder];
  return { name: 'provisioner', program: 'env', args };
}
