/**
 * etcd and a kube-apiserver of our own on loopback: everything of Kubernetes that needs no kubelet, in seconds. It has
 * neither controllers nor a garbage collector: nothing reacts to an object, and a namespace is never gone.
 */
import { KubeConfig } from '@kubernetes/client-node';
import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../../shared/clock.ts';
import { freePort } from '../ports.ts';
import type { Binaries } from './binaries.ts';

const clock = systemClock();
const pauseMs = 50;
const readyWithinMs = 120_000;
/** Another process may take a port between our look and the server's. */
const tries = 3;

/** A Kubernetes API that is ours alone. */
export interface ApiServer {
  readonly url: string;
  /** The pids of etcd and of the server, to be stopped, continued or killed by a test. */
  readonly pids: { readonly etcd: number; readonly apiServer: number };
  /** How long it took to be ready. */
  readonly startedInMs: number;
  /** What it signs the tokens of ServiceAccounts with, so that a test can make those that it would not give. PEM. */
  readonly signingKey: string;
  /** Where every call of the account of Navigator's server is written down, a line of JSON each. */
  readonly auditLog: string;
  /** Access as a member of system:masters, or as a user who may do what RBAC says, or with a token. */
  config(user?: 'admin' | 'nobody' | { readonly token: string }): KubeConfig;
  /** Ends both processes and removes what they wrote. */
  stop(): Promise<void>;
}

interface Started {
  readonly folder: string;
  readonly url: string;
  readonly etcd: ChildProcess;
  readonly apiServer: ChildProcess;
  readonly tokens: { readonly admin: string; readonly nobody: string };
}

/** Starts both, and resolves once /readyz says so. Rejects with the end of the log where one of them exits. */
export async function startApiServer(binaries: Binaries): Promise<ApiServer> {
  const since = clock.monotonicMs();
  for (let attempt = 1; ; attempt += 1) {
    const started = await start(binaries);
    try {
      const ca = await ready(started, since + readyWithinMs);
      return running(started, ca, clock.monotonicMs() - since);
    } catch (error) {
      const log = readFileSync(join(started.folder, 'apiserver.log'), 'utf8').slice(-3000);
      const isPortTaken = /address already in use/.test(log + readFileSync(join(started.folder, 'etcd.log'), 'utf8'));
      await stop(started);
      if (!isPortTaken || attempt === tries) throw new Error(`${String(error)}\n${log}`, { cause: error });
    }
  }
}

function running(started: Started, ca: string, startedInMs: number): ApiServer {
  const { url, tokens } = started;
  return {
    url,
    pids: { etcd: started.etcd.pid ?? 0, apiServer: started.apiServer.pid ?? 0 },
    startedInMs,
    signingKey: readFileSync(join(started.folder, 'sa.key'), 'utf8'),
    auditLog: join(started.folder, 'audit.log'),
    config: (user = 'admin') => {
      const config = new KubeConfig();
      const [name, token] = typeof user === 'string' ? [user, tokens[user]] : ['by-token', user.token];
      const cluster = { name: 'test', server: url, caData: Buffer.from(ca).toString('base64'), skipTLSVerify: false };
      config.loadFromClusterAndUser(cluster, { name, token });
      return config;
    },
    stop: () => stop(started),
  };
}

async function start({ etcd, apiServer }: Binaries): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'navigator-kubernetes-'));
  const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${client}`;
  const tokens = { admin: randomBytes(16).toString('hex'), nobody: randomBytes(16).toString('hex') };
  const rows = [`${tokens.admin},admin,admin,system:masters`, `${tokens.nobody},nobody,nobody`];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const etcdArgs = ['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--name', 'test'];
  etcdArgs.push('--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl);
  etcdArgs.push('--listen-peer-urls', `http://127.0.0.1:${peer}`);
  etcdArgs.push('--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`);
  etcdArgs.push('--initial-cluster', `test=http://127.0.0.1:${peer}`);
  const apiArgs = [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${secure}`,
    // The server makes a certificate of its own here.
    `--cert-dir=${join(folder, 'certificates')}`,
    `--token-auth-file=${write('tokens.csv', rows.join('\n'))}`,
    '--authorization-mode=RBAC',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${write('sa.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString())}`,
    `--service-account-signing-key-file=${write('sa.key', privateKey.export({ type: 'sec1', format: 'pem' }).toString())}`,
    // It waits for a service account that a controller would make.
    '--disable-admission-plugins=ServiceAccount',
    `--audit-policy-file=${write('audit-policy.json', JSON.stringify(auditPolicy))}`,
    `--audit-log-path=${write('audit.log', '')}`,
    '--profiling=false',
  ];
  return {
    folder,
    url: `https://127.0.0.1:${secure}`,
    etcd: launch(etcd, etcdArgs, join(folder, 'etcd.log')),
    apiServer: launch(apiServer, apiArgs, join(folder, 'apiserver.log')),
    tokens,
  };
}

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', users: ['system:serviceaccount:navigator-system:navigator'] }, { level: 'None' }],
};

/** The kernel ends it when this process dies, however it dies. setpriv becomes the program: the pid stays. */
function launch(program: string, args: readonly string[], log: string): ChildProcess {
  const file = openSync(log, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: ['ignore', file, file] });
  closeSync(file);
  child.on('error', () => {});
  // A run that is over is not kept alive by it, and takes it along.
  child.unref();
  return child;
}

/** Resolves to the server's own CA once it says that it is ready. */
async function ready(started: Started, end: number): Promise<string> {
  for (;;) {
    for (const child of [started.etcd, started.apiServer]) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnargs[3]} has exited`);
    }
    try {
      const ca = readFileSync(join(started.folder, 'certificates', 'apiserver.crt'), 'utf8');
      if (await saysReady(started, ca)) return ca;
    } catch {
      // Not yet.
    }
    if (clock.monotonicMs() > end) throw new Error('the API server does not get ready');
    await sleep(clock, pauseMs);
  }
}

/** Everything that a test needs: the server's word, and the namespace that it makes by itself. */
async function saysReady({ url, tokens }: Started, ca: string): Promise<boolean> {
  for (const path of ['/readyz', '/api/v1/namespaces/default']) {
    const status = await new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${tokens.admin}` };
      const asked = request(url + path, { ca, headers, timeout: 2_000, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asked.on('timeout', () => asked.destroy(new Error('no answer')));
      asked.on('error', reject);
      asked.end();
    });
    if (status !== 200) return false;
  }
  return true;
}

/** By SIGKILL: nothing that they hold is worth the wait for open watches. */
async function stop({ folder, etcd, apiServer }: Started): Promise<void> {
  for (const child of [apiServer, etcd]) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  rmSync(folder, { recursive: true, force: true });
}
