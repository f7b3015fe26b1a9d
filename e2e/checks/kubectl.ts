/** kubectl, as a person at a terminal has it. */
import { command } from '../cluster/command.ts';

export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- checks look at whatever came
  readonly [key: string]: any;
}

/** What it prints. Rejects with what it says where it fails. */
export function kubectl(...args: readonly string[]): Promise<string> {
  return command('kubectl', args);
}

/** As `kubectl … -f -` with a manifest as its input. */
export function withManifest(manifest: unknown, ...args: readonly string[]): Promise<string> {
  const input = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  return command('kubectl', [...args, '-f', '-'], { input });
}

/** One object as JSON; undefined where it is not there. */
export async function find(kind: string, name: string, namespace = 'default'): Promise<KubeObject | undefined> {
  const text = await kubectl('-n', namespace, 'get', kind, name, '-o', 'json', '--ignore-not-found');
  return text.trim() === '' ? undefined : (JSON.parse(text) as KubeObject);
}

/** All objects of a kind in a namespace, or those that a selector selects. */
export async function list(kind: string, namespace = 'default', selector?: string): Promise<readonly KubeObject[]> {
  const select = selector === undefined ? [] : ['-l', selector];
  const text = await kubectl('-n', namespace, 'get', kind, ...select, '-o', 'json');
  return (JSON.parse(text) as { readonly items: readonly KubeObject[] }).items;
}

/** What a shell command in a pod's container prints. */
export function exec(pod: string, script: string, namespace = 'default'): Promise<string> {
  return kubectl('-n', namespace, 'exec', pod, '--', 'sh', '-ec', script);
}
