/** The label that leads pilots to the active server. */
import type { KubernetesApi } from './api.ts';
import { kinds, labels } from './kinds.ts';
import { pathOf, type KubeObject, type KubeObjects } from './objects.ts';

/** Puts the label on this pod, and takes it from every other one that has it. */
export async function becomeActive(
  objects: KubeObjects,
  api: KubernetesApi,
  { namespace, podName }: { readonly namespace: string; readonly podName: string },
): Promise<void> {
  const query = { labelSelector: `${labels.active}=true` };
  const found = (await api.call({ method: 'GET', path: pathOf(kinds.pod, namespace), query })) as {
    readonly items: readonly KubeObject[];
  };
  for (const { metadata } of found.items) {
    if (metadata.name === podName) continue;
    await objects.patch(kinds.pod, metadata, { metadata: { labels: { [labels.active]: null } } });
  }
  await objects.patch(kinds.pod, { namespace, name: podName }, { metadata: { labels: { [labels.active]: 'true' } } });
}
