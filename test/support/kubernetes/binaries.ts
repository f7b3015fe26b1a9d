/**
 * Kubernetes' own programs, built once from the published Go modules that e2e/kubernetes/go.mod names, and etcd as the
 * distribution packages it.
 */
import { spawnSync } from 'node:child_process';
import { needPrograms, onPath } from '../tools/debian.ts';
import { goProgram } from '../tools/go.ts';

export interface Binaries {
  readonly etcd: string;
  readonly apiServer: string;
}

/** Both programs, made or installed where they are missing. Rejects with words about what to install. */
export async function findBinaries(say: (line: string) => void): Promise<Binaries> {
  await needPrograms({ etcd: 'etcd-server' }, say);
  return { etcd: onPath('etcd') ?? 'etcd', apiServer: await kubernetesProgram('kube-apiserver', say) };
}

/** The path of one of Kubernetes' programs. */
export function kubernetesProgram(program: string, say: (line: string) => void): Promise<string> {
  const kubernetes = { module: 'kubernetes', versionOf: 'k8s.io/kubernetes', linkerFlags };
  return goProgram({ ...kubernetes, program, package: `k8s.io/kubernetes/cmd/${program}` }, say);
}

function linkerFlags(version: string): readonly string[] {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  return Object.entries(values).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
}

/** Whether `kubectl` is there: no test needs it, one uses it where it is. */
export function hasKubectl(): boolean {
  return spawnSync('kubectl', ['version', '--client']).status === 0;
}
