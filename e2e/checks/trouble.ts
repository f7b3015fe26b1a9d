/** Why pods do not come up, in their own words: what a person at the terminal would look for first. */
import { list, type KubeObject } from './kubectl.ts';

const pullReasons = ['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'];

/** Does `work`; where it fails, what the pods of a namespace wait for is added to the message. */
export async function explained<T>(namespace: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const waiting = (await list('pods', namespace).catch(() => [])).flatMap(waitedFor);
    if (waiting.length === 0) throw error;
    const isPull = waiting.some((line) => pullReasons.some((reason) => line.includes(reason)));
    const advice = isPull ? ['the images are built and loaded as README.md says, "On Kubernetes"'] : [];
    const message = error instanceof Error ? error.message : String(error);
    throw new Error([message, ...waiting, ...advice].join('\n'), { cause: error });
  }
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

/** One line for each thing that a pod waits for. */
function waitedFor({ metadata, status = {} }: KubeObject): readonly string[] {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    conditions = [],
  } = status as {
    readonly initContainerStatuses?: readonly Container[];
    readonly containerStatuses?: readonly Container[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
  const containers = [...initContainerStatuses, ...containerStatuses].flatMap(({ name, image, state }) => {
    const { reason, message = '' } = state?.waiting ?? {};
    const isUsual = reason === undefined || reason === 'PodInitializing';
    return isUsual ? [] : [`${metadata.name}, ${name}: ${reason} ${image} ${message}`.trim()];
  });
  const unscheduled = conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return [...containers, ...(unscheduled ? [`${metadata.name}: ${unscheduled.message ?? 'is on no node'}`] : [])];
}
