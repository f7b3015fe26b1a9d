/** One Kubernetes API for all tests of a run, with Navigator's definitions installed. It ends with the run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { waitFor } from '../wait.ts';
import { startApiServer, type ApiServer } from './apiserver.ts';
import { findBinaries, type Binaries } from './binaries.ts';
import { caller, type Call } from './call.ts';

/** A build from nothing may be part of it. */
const beforeWithinMs = 50 * 60_000;
const definitions = join(import.meta.dirname, '../../../deploy/crds');
const say = (line: string): void => void process.stderr.write(`kubernetes: ${line}\n`);

let shared: Promise<ApiServer> | undefined;
let namespaces = 0;

after(async () => (await shared?.catch(() => undefined))?.stop());

/** What tests get: the API, a way to call it by hand, and a namespace of their own each time. */
export interface Kubernetes {
  readonly api: ApiServer;
  readonly call: Call;
  namespace(): Promise<string>;
  /** The row that `kubectl get` shows of one object, by the names of its columns. */
  table(path: string): Promise<Readonly<Record<string, unknown>>>;
}

/** In a describe: brings the API up before its tests, or skips them where it cannot be had, and fails in CI. */
export function useKubernetes(): () => Kubernetes {
  let kubernetes: Kubernetes | undefined;
  useBinaries(async (binaries) => {
    shared ??= start(binaries);
    const api = await shared;
    const call = caller(api);
    const namespace = (): Promise<string> => makeNamespace(call, `test-${(namespaces += 1)}`);
    kubernetes = { api, call, namespace, table: (path) => tableOf(call, path) };
  });
  return () => kubernetes!;
}

/** In a describe: finds or makes the programs before its tests, by the same rule. */
export function useBinaries(then: (binaries: Binaries) => Promise<void>): void {
  before(async function () {
    this.timeout(beforeWithinMs);
    let binaries: Binaries;
    try {
      binaries = await findBinaries(say);
    } catch (error) {
      if (process.env['CI'] !== undefined) throw error;
      say(`these tests are skipped: ${error instanceof Error ? error.message : String(error)}`);
      this.skip();
    }
    await then(binaries);
  });
}

/** Makes a namespace, and is content where it is there. */
export async function makeNamespace(call: Call, name: string): Promise<string> {
  const { status, body } = await call('POST', '/api/v1/namespaces', { metadata: { name } });
  if (status !== 201 && status !== 409) throw new Error(`namespace ${name}: ${JSON.stringify(body)}`);
  return name;
}

async function tableOf(call: Call, path: string): Promise<Readonly<Record<string, unknown>>> {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await call('GET', path, undefined, { accept });
  const columns = body.columnDefinitions as readonly { readonly name: string }[];
  const { cells } = body.rows[0] as { readonly cells: readonly unknown[] };
  return Object.fromEntries(columns.map(({ name }, at) => [name, cells[at]]));
}

async function start(binaries: Binaries): Promise<ApiServer> {
  const api = await startApiServer(binaries);
  try {
    await installDefinitions(caller(api));
    return api;
  } catch (error) {
    await api.stop();
    throw error;
  }
}

/** Installs what deploy/crds holds, and waits until it is served. */
export async function installDefinitions(call: Call): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  for (const file of readdirSync(definitions)) {
    const definition: unknown = parse(readFileSync(join(definitions, file), 'utf8'));
    const { status, body } = await call('POST', `${path}?fieldValidation=Strict`, definition);
    if (status !== 201) throw new Error(`${file}: ${body.message ?? JSON.stringify(body)}`);
    const { plural } = body.spec.names;
    const list = `/apis/${body.spec.group}/v1alpha1/${plural}`;
    await waitFor(async () => (await call('GET', list)).status === 200, `${plural} to be served`);
  }
}
