/**
 * Two servers as their pods run them: processes of their own, with the account and the rights of deploy/, behind their own door.
 * Pilots come to it with the tokens of their pods, people with theirs, and one of the two is killed.
 */
import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as accounts from '../support/kubernetes/accounts.ts';
import { navigator, type Ran } from '../support/kubernetes/person.ts';
import { giveAll, home, makeServerAccount } from '../support/kubernetes/rights.ts';
import { freePort } from '../support/ports.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { small, Stage } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

const main = resolve(import.meta.dirname, '../../server/main.ts');
const limitMs = 120_000;

interface Server {
  readonly pod: string;
  readonly process: ChildProcess;
  readonly http: number;
}

describe('two servers as their pods run them', function () {
  this.timeout(5 * limitMs);
  const kubernetes = useKubernetes();
  const servers: Server[] = [];
  let stage: Stage;
  let kubeconfig: string;

  before(async () => {
    const { call, api } = kubernetes();
    const token = await makeServerAccount(call);
    await giveAll(call);
    stage = await Stage.open(kubernetes(), { home, ownDoor: true });
    kubeconfig = join(stage.directory, 'kubeconfig');
    writeFileSync(kubeconfig, api.config({ token }).exportConfig(), { mode: 0o600 });
    for (let at = 0; at < 2; at++) servers.push(await launch());
  });
  after(async () => {
    await Promise.all(servers.map(kill));
    await (stage as Stage | undefined)?.close();
  });

  async function launch(): Promise<Server> {
    const pod = await stage.serverPod();
    const [port, http] = [await freePort(), await freePort()];
    stage.service.ports.set(pod, port);
    const flags = {
      kubeconfig,
      namespace: home,
      'pod-name': pod,
      listen: `127.0.0.1:${port}`,
      http: `127.0.0.1:${http}`,
      'state-directory': join(stage.directory, pod),
    };
    const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const log = openSync(join(stage.directory, `${pod}.log`), 'a');
    const child = spawn(process.execPath, [main, 'server', '--kubernetes', ...words], { stdio: ['ignore', log, log] });
    closeSync(log);
    return { pod, process: child, http };
  }

  async function kill({ process: child }: Server): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** One number that a server shows; undefined: it does not answer. */
  async function metric({ http }: Server, name: string): Promise<number | undefined> {
    const text = await fetch(`http://127.0.0.1:${http}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  /** The one that is active, by its own word and by the label of its pod. */
  async function active(): Promise<Server> {
    return await waitFor(
      async () => {
        const said: Server[] = [];
        for (const server of servers) if ((await metric(server, 'navigator_server_active')) === 1) said.push(server);
        const path = `/api/v1/namespaces/${home}/pods/${said[0]?.pod}`;
        const labels = (await stage.get(path))?.metadata.labels as Record<string, string> | undefined;
        return said.length === 1 && labels?.['navigator.jetstack.io/active'] === 'true' && said[0];
      },
      `one active server\n${servers.map(lastLog).join('\n')}`,
      limitMs,
    );
  }

  function lastLog({ pod }: Server): string {
    return readFileSync(join(stage.directory, `${pod}.log`), 'utf8').slice(-1_000);
  }

  async function person(name: string, verbs: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const { namespace, call } = stage;
    const { data } = await stage.must('GET', `/api/v1/namespaces/${namespace}/configmaps/navigator-ca`);
    const token = await accounts.makeAccount(call, { namespace, name }, accounts.onClusters(...verbs));
    const files = [join(stage.directory, 'ca.crt'), join(stage.directory, `${name}.token`)] as const;
    writeFileSync(files[0], data['ca.crt'] as string);
    writeFileSync(files[1], token);
    return {
      NAVIGATOR_SERVER: stage.service.target,
      NAVIGATOR_CA_FILE: files[0],
      NAVIGATOR_TOKEN_FILE: files[1],
    };
  }

  const ask = (env: Readonly<Record<string, string>>): Promise<Ran> =>
    navigator(`get members demo -n ${stage.namespace}`, env);

  it('one is active, and the other stands by', async () => {
    const first = await active();
    const [other] = servers.filter((server) => server !== first);
    expect(await metric(other!, 'navigator_server_active')).to.equal(0);
  });

  it('pilots come in with the tokens of their pods, and their cluster becomes ready', async () => {
    await stage.apply('demo', small(1));
    await stage.ready('demo');
    const pilot = stage.pilots.get(`${stage.namespace}/demo-node-0`)?.pilot;
    expect([pilot?.connected, pilot?.welcomes]).to.deep.equal([true, 1]);
  });

  it('who may see the cluster is answered, and who may not is refused and counted', async () => {
    const [reader, stranger] = [await person('reader', ['get']), await person('stranger', [])];
    const answered = await waitFor(
      async () => {
        const ran = await ask(reader);
        if (ran.code !== 0) throw new Error(ran.err);
        return ran.out;
      },
      'the right of the reader to be known',
      limitMs,
    );
    expect(answered).to.contain('demo-node-0');
    const server = await active();
    const name = 'navigator_refusals_total{visitor="person",reason="not_allowed"}';
    const before = (await metric(server, name)) ?? NaN;
    const refused = await ask(stranger);
    expect([refused.code, refused.err]).to.deep.equal([1, refused.err]);
    expect(refused.err).to.contain('may not get the elasticsearch cluster');
    expect(await metric(server, name)).to.equal(before + 1);
    expect(await metric(server, 'navigator_refusals_total{visitor="pilot",reason="no_pod"}')).to.equal(0);
  });

  it('the active one is killed: the other takes over, trusted as before, and no database is started again', async () => {
    const first = await active();
    const pilot = stage.pilots.get(`${stage.namespace}/demo-node-0`)!.pilot;
    const { incarnation } = pilot;
    const starts = (): number => stage.world(`${stage.namespace}/demo`).machine.count('demo-node-0', 'started');
    const reader = await person('reader', ['get']);
    await kill(first);
    const second = await active();
    expect(second.pod).to.not.equal(first.pod);
    await waitFor(() => pilot.connected && pilot.welcomes > 1, 'the pilot to come back', limitMs);
    await waitFor(async () => (await ask(reader)).code === 0, 'people to be answered', limitMs);
    await stage.apply('demo', small(2));
    await stage.ready('demo');
    expect([pilot.incarnation, starts()]).to.deep.equal([incarnation, 1]);
  });
});
