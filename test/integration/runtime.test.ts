import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeRuntime } from '../fakes/runtime.ts';
import { runtimeContract } from './runtime.contract.ts';
import { log } from './scene.ts';

describe('the runtime in this process', () => {
  const make = async (): Promise<FakeRuntime> => {
    const directory = mkdtempSync(join(tmpdir(), 'nav-'));
    return new FakeRuntime({ directory, server: () => `unix:${directory}/nobody`, tokenFor: () => 'token', log });
  };
  runtimeContract(make, ['6.8.23', '6.8.24']);
});
