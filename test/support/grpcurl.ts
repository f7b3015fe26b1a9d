/** grpcurl as its makers publish it, built once and kept in the cache. */
import { spawnSync } from 'node:child_process';
import { goProgram } from './tools/go.ts';

const source = 'github.com/fullstorydev/grpcurl';

/** Whether grpcurl can be had here: it is built by Go. */
export function hasGo(): boolean {
  return spawnSync('go', ['version']).status === 0;
}

/** The path of grpcurl, built where it is not there yet. */
export function grpcurl(say: (line: string) => void = () => undefined): Promise<string> {
  return goProgram({ program: 'grpcurl', package: `${source}/cmd/grpcurl`, module: 'grpcurl', versionOf: source }, say);
}
