/** The programs of the cluster that are no pods: started in its network and control groups, and again where they end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import type { Places } from './places.ts';
import { hierarchies } from './remains.ts';

export interface DaemonOrder {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

const clock = systemClock();
const restartAfterMs = 500;

/**
 * Keeps daemons running until `stop`. For whoever plays a fault: `pids/NAME` in the cluster's folder holds the pid of a
 * daemon, and one for which `held/NAME` exists is not started again until that file is gone.
 */
export class Daemons {
  readonly #places: Places;
  readonly #children = new Map<string, ChildProcess>();
  #stopping = false;

  constructor(places: Places) {
    this.#places = places;
    for (const folder of ['pids', 'held']) mkdirSync(join(places.directory, folder), { recursive: true });
    mkdirSync(places.logs, { recursive: true });
    for (const hierarchy of hierarchies()) prepareGroup(join(hierarchy, places.name), hierarchy);
  }

  /** Starts it, and again half a second after each end. */
  start(order: DaemonOrder): void {
    if (this.#stopping) return;
    if (existsSync(join(this.#places.directory, 'held', order.name))) return this.#startLater(order);
    const log = openSync(this.logOf(order.name), 'a');
    // Each shell command becomes the next program, so that the pid stays, and the kernel ends it when this process dies.
    const groups = `for g in ${hierarchies().join(' ')}; do echo $$ > $g/${this.#places.name}/daemons/cgroup.procs || exit 1; done`;
    const inside = `exec nsenter --net=${this.#places.networkNamespace} setpriv --pdeathsig KILL "$@"`;
    const child = spawn('sh', ['-c', `${groups}; ${inside}`, 'sh', order.program, ...order.args], {
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: this.#places.directory },
    });
    closeSync(log);
    this.#children.set(order.name, child);
    writeFileSync(join(this.#places.directory, 'pids', order.name), `${child.pid ?? 0}\n`);
    child.on('error', () => undefined);
    child.once('close', () => this.#startLater(order));
  }

  logOf(name: string): string {
    return join(this.#places.logs, `${name}.log`);
  }

  /** The end of what a daemon has logged. */
  lastLog(name: string): string {
    const path = this.logOf(name);
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-3_000) : '';
  }

  /** Ends all of them, by pid. */
  stop(): void {
    this.#stopping = true;
    for (const child of this.#children.values()) {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    rmSync(join(this.#places.directory, 'pids'), { recursive: true, force: true });
  }

  #startLater(order: DaemonOrder): void {
    clock.after(restartAfterMs, () => this.start(order));
  }
}

/** A cpuset without processors or memory takes no process. */
function prepareGroup(group: string, hierarchy: string): void {
  for (const path of [group, join(group, 'daemons')]) {
    mkdirSync(path, { recursive: true });
    if (!hierarchy.endsWith('/cpuset')) continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(path, file), readFileSync(join(hierarchy, file), 'utf8').trim());
    }
  }
}
