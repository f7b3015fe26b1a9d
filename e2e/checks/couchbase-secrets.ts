/** Couchbase in pods that know only what one Secret of theirs says: certificates, users, and another password of the administrator. */
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import { isWhole } from './couchbase.ts';
import { podsOf } from './database.ts';
import { find, kubectl, withManifest } from './kubectl.ts';
import { notOurs } from './machine.ts';

const cluster = 'safe';
const withinMs = 5 * 60_000;
/** Kubelets may take minutes to bring a Secret to every pod, twice. */
const rotatedWithinMs = 12 * 60_000;

const head = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'CouchbaseCluster', metadata: { name: cluster } };
const spec = {
  version: '7.6.8',
  auth: { secretName: 'safe-admin' },
  tls: { enabled: true },
  users: [{ name: 'ada', roles: ['admin'], secretName: 'safe-ada' }],
  nodePools: [{ name: 'data', replicas: 2, services: ['data'] }],
};

function secret(name: string, stringData: Readonly<Record<string, string>>): Promise<string> {
  return withManifest({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData }, 'apply');
}

/** How the first node answers somebody who verifies its certificate by the authority in the cluster's Secret. */
async function statusFor(username: string, password: string): Promise<number> {
  const [pod] = await podsOf(cluster);
  const handed = await find('secret', `${cluster}-pilots`);
  const ca = Buffer.from((handed?.['data']['ca.pem'] as string | undefined) ?? '', 'base64');
  const servername = `${pod?.metadata.name}.${cluster}-data.default.svc`;
  const host = pod?.['status'].podIP as string;
  return await new Promise((resolve, reject) => {
    const auth = `${username}:${password}`;
    const asked = request({ host, port: 18091, path: '/whoami', servername, ca, auth, timeout: 10_000, agent: false });
    asked.on('timeout', () => asked.destroy(new Error(`${host} does not answer`)));
    asked.on('error', reject);
    asked.on('response', (answer) => {
      text(answer).then(() => resolve(answer.statusCode ?? 0), reject);
    });
    asked.end();
  });
}

function isLetIn(username: string, password: string, ms = withinMs): Promise<unknown> {
  const enters = async (): Promise<boolean> => (await statusFor(username, password).catch(() => 0)) === 200;
  return waitFor(enters, `${username} to be let in`, ms);
}

const found: Check = {
  name: 'Couchbase: nodes show certificates that Navigator has made, and a user enters with the password in a Secret',
  skip: notOurs,
  run: async () => {
    await withManifest({ ...head, spec }, 'apply');
    const isTold = async (): Promise<boolean> => {
      const conditions = (await find('couchbasecluster', cluster))?.['status']?.conditions ?? [];
      return (conditions as { message?: string }[]).some(({ message }) => message?.includes('Secret safe-admin'));
    };
    await waitFor(isTold, 'the status to name the Secret that is missing', withinMs);
    await secret('safe-admin', { username: 'boss', password: 'the-first-password' });
    await secret('safe-ada', { password: 'the-password-of-ada' });
    await isWhole(cluster, 2, spec.version);
    await isLetIn('ada', 'the-password-of-ada');
    must((await statusFor('ada', 'another')) === 401, 'a wrong password is let in');
    await secret('safe-admin', { username: 'boss', password: 'the-second-password' });
    return undefined;
  },
};

const rotated: Check = {
  name: "Couchbase: the administrator's password is another one, by the Secret that the cluster names",
  skip: notOurs,
  run: async () => {
    await isLetIn('boss', 'the-second-password', rotatedWithinMs);
    must((await statusFor('boss', 'the-first-password')) === 401, 'the first password is still let in');
    const isOver = async (): Promise<boolean> => {
      const data = (await find('secret', `${cluster}-pilots`))?.['data'].administrator as string;
      const { password } = JSON.parse(Buffer.from(data, 'base64').toString()) as { password: string };
      return password === 'the-second-password';
    };
    await waitFor(isOver, 'the rotation to be over', withinMs);
    await isWhole(cluster, 2, spec.version);
    const events = await kubectl('get', 'events', '--field-selector', `involvedObject.name=${cluster}`, '-o', 'json');
    must(!events.includes('the-second-password'), 'an event shows the password');
    await kubectl('delete', `cbc/${cluster}`, '--timeout=5m');
    return undefined;
  },
};

/** The second one waits for what the first one has begun: others go between them. */
export const couchbaseSecrets = { found, rotated } as const;
