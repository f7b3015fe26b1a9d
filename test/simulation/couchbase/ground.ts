/** What the real engine of Couchbase stands on in virtual time: each call takes its time, and may fail, be slow, or lose its answer. */
import { createCouchbaseEngine } from '../../../pilot/engine/couchbase/engine.ts';
import type { Ground } from '../../../pilot/engine/couchbase/ground.ts';
import type { Credentials, RestCall } from '../../../pilot/engine/couchbase/rest.ts';
import type { Engine } from '../../../pilot/engine/engine.ts';
import type { Answer } from '../../../pilot/engine/exchange.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { basic, formOf } from '../../couchbase/simulator/rest.ts';
import type { EnginePorts } from '../application.ts';
import type { World } from '../world.ts';
import type { Judge } from './judge.ts';
import type { Nodes } from './nodes.ts';

export const administrator: Credentials = { username: 'Administrator', password: 'password' };

const directory = '/member';

interface Ports extends EnginePorts {
  readonly world: World;
  readonly nodes: Nodes;
  readonly judge: Judge;
}

/** The engine of one life of a pilot. */
export function engineOn(member: string, ports: Ports): Engine {
  const { clock, random, nodes, onApply } = ports;
  const place = {
    member,
    cluster: 'demo',
    address: nodes.hostOf(member),
    httpPort: 8091,
    transportPort: 0,
    distribution: '/couchbase',
    directory,
    javaHome: '',
    credentialsFile: '/credentials',
  };
  const engine = createCouchbaseEngine(place, { clock, random, ground: groundOf(member, ports) });
  return {
    ...engine,
    applySettings: (settings, mayWrite) => {
      onApply(settings);
      return engine.applySettings(settings, mayWrite);
    },
    lastLog: () => '',
  };
}

function groundOf(member: string, ports: Ports): Ground {
  const { files, nodes } = ports;
  return {
    carry: (call, { body }) => carry(member, ports, call, body.toString()),
    credentials: () => administrator,
    password: (secret) => {
      throw new NavigatorError('not_found', `there is no secret ${secret}`);
    },
    makeDirectories: async () => {
      if (nodes.member(member).life !== undefined) throw new NavigatorError('conflict', `${member} still runs`);
    },
    read: (name) => {
      try {
        return files.read(fileOf(name));
      } catch {
        return undefined;
      }
    },
    // As writeWhole of pilot/engine/files.ts does it.
    write: async (name, text) => {
      const draft = `${fileOf(name)}.draft`;
      const file = files.create(draft);
      files.write(file, text);
      files.sync(file);
      files.close(file);
      files.rename(draft, fileOf(name));
    },
  };
}

/** Where the engine's small files are on the pilot's disk. */
export function fileOf(name: string): string {
  return `${directory}/${name}`;
}

/** The database does its part though the pilot may be frozen or dead by then; the answer waits for the pilot. */
async function carry(member: string, ports: Ports, call: RestCall, body: string): Promise<Answer> {
  const { world, clock, judge, pilot } = ports;
  const form = formOf(body, call.json !== undefined);
  const isLook = call.method === 'GET';
  if (!isLook) judge.asked(pilot, call.path, form);
  // Most looks take no time, so that they cost none; those that do are torn as real ones are.
  if (!isLook || ports.random.chance(0.25)) await pass(world, latencyMs(ports));
  const outcome = await within(world, call, () => exchange(member, ports, call, form)).then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  );
  if (!isLook) await pass(world, latencyMs(ports));
  await new Promise<void>((resolve) => clock.defer(resolve));
  if ('thrown' in outcome) throw outcome.thrown;
  return outcome.value;
}

function pass(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => void world.time.after(ms, resolve));
}

function within(world: World, { path, limitMs }: RestCall, work: () => Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = world.time.after(limitMs, () => reject(new NavigatorError('timeout', `${path}: no answer`)));
    void work()
      .then(resolve, (thrown: unknown) => reject(NavigatorError.from(thrown)))
      .finally(() => timer.cancel());
  });
}

async function exchange(
  member: string,
  { world, nodes, random }: Ports,
  { method, path }: RestCall,
  form: Readonly<Record<string, string>>,
): Promise<Answer> {
  const silent = (): NavigatorError => new NavigatorError('timeout', `${path}: no answer`);
  if (random.chance(0.005) && world.rough('silent_database')) throw silent();
  const authorization = basic(administrator.username, administrator.password);
  const { status, body } = await nodes.rest(member, { method, path, form, authorization });
  // It is done, and nobody is told.
  if (method === 'POST' && random.chance(0.1) && world.rough('lost_replies')) throw silent();
  const isTasks = path === '/pools/default/tasks' && status === 200;
  if (isTasks && random.chance(0.02) && world.rough('blind_evidence'))
    return { status, text: body.replaceAll('"statusIsStale":false', '"statusIsStale":true') };
  return { status, text: body };
}

function latencyMs({ world, random }: Ports): number {
  return random.chance(0.02) && world.rough('slow_database') ? random.between(200, 4_000) : random.between(1, 15);
}
