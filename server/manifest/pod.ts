/** What a manifest says of pods: passed on as it was written, since Kubernetes alone knows what is in it. */
import type { ClusterPod, Image, JsonObject, PoolPod } from '../model/cluster.ts';
import { isJsonMap, type Json, type JsonMap } from './source.ts';

const groupDefault = 1000;

/** What all pods of a cluster have in common; undefined where nothing but defaults was written. */
export function clusterPod(spec: JsonMap): ClusterPod | undefined {
  const image = imageOf(spec.image);
  const pilotImage = imageOf(spec.pilotImage);
  const security = isJsonMap(spec.securityContext) ? spec.securityContext : {};
  const { fsGroup } = security;
  return unlessEmpty({
    ...(image && { image }),
    ...(pilotImage && { pilotImage }),
    ...(typeof fsGroup === 'number' && fsGroup !== groupDefault && { fsGroup }),
  });
}

/** What the pods of one pool have for themselves; undefined where nothing was written. */
export function poolPod(pool: JsonMap): PoolPod | undefined {
  const { tolerations, schedulerName } = pool;
  return unlessEmpty({
    ...objectIn(pool, 'resources'),
    ...objectIn(pool, 'nodeSelector'),
    ...(Array.isArray(tolerations) && tolerations.length > 0 && { tolerations: tolerations as readonly Json[] }),
    ...objectIn(pool, 'affinity'),
    ...(typeof schedulerName === 'string' && schedulerName !== '' && { schedulerName }),
    ...objectIn(pool, 'podTemplate'),
  });
}

/** Without a repository and a tag nothing but how it is pulled has been said. */
function imageOf(written: Json | undefined): Image | undefined {
  if (!isJsonMap(written)) return undefined;
  const { repository, tag, pullPolicy } = written;
  return unlessEmpty({
    ...(typeof repository === 'string' && repository !== '' && { repository }),
    ...(typeof tag === 'string' && tag !== '' && { tag }),
    ...(typeof pullPolicy === 'string' && { pullPolicy }),
  });
}

function objectIn(
  map: JsonMap,
  key: 'resources' | 'nodeSelector' | 'affinity' | 'podTemplate',
): { readonly [name: string]: JsonObject } {
  const value = map[key];
  return isJsonMap(value) && Object.keys(value).length > 0 ? { [key]: value } : {};
}

function unlessEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}
