/** Who may enter the database. */
import { waitFor } from '../../support/wait.ts';
import { itemsPut, type CouchbaseGround, type CouchbaseScenario } from './ground.ts';

const admin = 'auth: { secretName: admin }';
const users = [
  'groups: [{ name: readers, roles: ["bucket_admin[travel]"] }]',
  'users: [{ name: app, secretName: app, roles: [ro_admin], groups: [readers] }]',
];

function letIn(ground: CouchbaseGround, username: string, password: string): Promise<unknown> {
  return waitFor(async () => (await ground.whoami({ username, password })) === 200, `${username} to be let in`);
}

export const accessScenarios: readonly CouchbaseScenario[] = [
  {
    name: 'tls-and-renewal',
    title: 'three members with TLS from nothing, and the certificate of one is renewed',
    start: 'nothing',
    rebalances: 1,
    adds: itemsPut,
    isLast: true,
    play: async (ground) => {
      await ground.want({ replicas: 3, lines: ['tls: { enabled: true }'] });
      await ground.ready();
      await ground.fill();
      const [first, second] = [await ground.certificateOf('demo-node-1'), await ground.certificateOf('demo-node-2')];
      await ground.loseCertificate('demo-node-1');
      await waitFor(async () => (await ground.certificateOf('demo-node-1')) !== first, 'another certificate');
      await ground.ready();
      if ((await ground.certificateOf('demo-node-2')) !== second) throw new Error('another one was renewed, too');
    },
  },
  {
    name: 'users-and-groups',
    title: 'a user and a group come, the password changes, they go, and one that was made by hand stays',
    rebalances: 0,
    play: async (ground) => {
      await ground.ask('/settings/rbac/users/local/hand', { roles: 'admin', password: 'made-by-hand' }, 'PUT');
      ground.secret('app', { password: 'first-password' });
      await ground.want({ lines: users });
      await letIn(ground, 'app', 'first-password');
      await waitFor(async () => (await ground.ask('/settings/rbac/groups')).text.includes('bucket_admin'), 'the group');
      ground.secret('app', { password: 'second-password' });
      await letIn(ground, 'app', 'second-password');
      await ground.want({ lines: [] });
      await waitFor(
        async () => !(await ground.ask('/settings/rbac/users')).text.includes('"app"'),
        'the user to be gone',
      );
      await waitFor(async () => (await ground.ask('/settings/rbac/groups')).text === '[]', 'the group to be gone');
      await ground.ready();
      await letIn(ground, 'hand', 'made-by-hand');
    },
  },
  {
    name: 'password-rotated',
    title: "the administrator's password is rotated twice, and once more with a node that is down",
    start: { replicas: 3, lines: [admin] },
    rebalances: 0,
    away: 1,
    play: async (ground) => {
      for (const password of ['rotated-once', 'rotated-twice']) {
        ground.secret('admin', { username: 'Administrator', password });
        await waitFor(() => ground.account().password === password, `${password} to be in force`);
        await letIn(ground, 'Administrator', password);
        await ground.ready();
      }
      if ((await ground.whoami({ username: 'Administrator', password: 'rotated-once' })) !== 401)
        throw new Error('the password of before still opens');
      process.kill(ground.navigator.database('demo-node-2').pid, 'SIGKILL');
      ground.secret('admin', { username: 'Administrator', password: 'rotated-again' });
      await letIn(ground, 'Administrator', 'rotated-again');
      await ground.ready();
    },
  },
];
