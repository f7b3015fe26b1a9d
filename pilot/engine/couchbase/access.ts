/**
 * Users, groups and the administrator's password, on the server's order. Only names are in an order: passwords lie in secrets, which
 * the pilot reads itself, and stand in no log, no journal and no command line.
 */
import { NavigatorError } from '../../../shared/errors.ts';
import { digest } from '../../../shared/ids.ts';
import { same } from '../../../shared/same.ts';
import type { Group, TopologyOrder, User } from '../../model.ts';
import type { Ground } from './ground.ts';
import type { Rest } from './rest.ts';
import type { Step } from './orders.ts';

const callLimitMs = 10_000;

interface RoleAnswer {
  readonly role?: string;
  readonly bucket_name?: string;
  readonly origins?: readonly { readonly type?: string }[];
}

interface AccountAnswer {
  readonly id?: string;
  readonly domain?: string;
  readonly roles?: readonly RoleAnswer[];
  readonly groups?: readonly string[];
}

export interface AccessWork {
  readonly rest: Rest;
  readonly order: TopologyOrder;
  readonly ground: Pick<Ground, 'credentials' | 'password'>;
  /** Users whose passwords are known to be in force, by what they were checked with. */
  readonly checked: Map<string, string>;
}

/** What is left to do so that those and no others of Navigator's may enter. */
export async function accessSteps(work: AccessWork): Promise<readonly Step[]> {
  const { rest, order, ground } = work;
  const { next } = ground.credentials();
  const rotates = next !== undefined && next.waits !== true && rest.administrator() !== next.id;
  const rotation: Step[] = rotates ? [rotate(rest, next)] : [];
  const { users, groups, dropUsers, dropGroups } = order;
  if (users.length + groups.length + dropUsers.length + dropGroups.length === 0) return rotation;
  const read = (path: string) => rest.call({ method: 'GET', path, limitMs: callLimitMs }) as Promise<AccountAnswer[]>;
  const [thereUsers, thereGroups] = await Promise.all([read('/settings/rbac/users'), read('/settings/rbac/groups')]);
  const local = thereUsers.filter(({ domain }) => domain === 'local');
  const made: Step[] = groups.flatMap((group) => groupSteps(rest, group, thereGroups));
  for (const user of users) made.push(...(await userSteps(work, user, local)));
  const gone = [
    ...dropUsers.flatMap((name) => dropSteps(rest, `/settings/rbac/users/local/${name}`, has(local, name))),
    ...dropGroups.flatMap((name) => dropSteps(rest, `/settings/rbac/groups/${name}`, has(thereGroups, name))),
  ];
  return [...rotation, ...made, ...gone];
}

function rotate(rest: Rest, { username, password }: { readonly username: string; readonly password: string }): Step {
  const form = { username, password, port: 'SAME' };
  return {
    what: "rotate the administrator's password",
    run: () => rest.call({ method: 'POST', path: '/settings/web', form, limitMs: callLimitMs }),
  };
}

function has(there: readonly AccountAnswer[], name: string): boolean {
  return there.some(({ id }) => id === name);
}

function dropSteps(rest: Rest, path: string, isThere: boolean): readonly Step[] {
  const run = () => rest.call({ method: 'DELETE', path, limitMs: callLimitMs });
  return isThere ? [{ what: `remove ${path}`, run }] : [];
}

/** Roles of its own: what comes of a group is not among them. */
function rolesOf({ roles = [] }: AccountAnswer): readonly string[] {
  const own = roles.filter(({ origins }) => origins === undefined || origins.some(({ type }) => type === 'user'));
  return own
    .map(({ role = '', bucket_name: bucket }) => (bucket === undefined ? role : `${role}[${bucket}]`))
    .toSorted();
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return same(one.toSorted(), other.toSorted());
}

function groupSteps(rest: Rest, group: Group, there: readonly AccountAnswer[]): readonly Step[] {
  const found = there.find(({ id }) => id === group.name);
  if (found !== undefined && isSame(rolesOf(found), group.roles)) return [];
  const form = { roles: group.roles.join(',') };
  const path = `/settings/rbac/groups/${group.name}`;
  return [
    { what: `make group ${group.name}`, run: () => rest.call({ method: 'PUT', path, form, limitMs: callLimitMs }) },
  ];
}

/** A password is told again where the user is not let in with it. */
async function userSteps(work: AccessWork, user: User, there: readonly AccountAnswer[]): Promise<readonly Step[]> {
  const { rest, ground, checked } = work;
  const password = ground.password(user.secretName);
  const found = there.find(({ id }) => id === user.name);
  const isMade = found !== undefined && isSame(rolesOf(found), user.roles) && isSame(found.groups ?? [], user.groups);
  if (isMade && (await isLetIn(rest, user.name, { password, checked }))) return [];
  const form = { roles: user.roles.join(','), groups: user.groups.join(','), password };
  const path = `/settings/rbac/users/local/${user.name}`;
  return [
    { what: `make user ${user.name}`, run: () => rest.call({ method: 'PUT', path, form, limitMs: callLimitMs }) },
  ];
}

async function isLetIn(
  rest: Rest,
  username: string,
  { password, checked }: { readonly password: string; readonly checked: Map<string, string> },
): Promise<boolean> {
  const mark = digest({ username, password });
  if (checked.get(username) === mark) return true;
  const as = { username, password };
  const isIn = await rest.call({ method: 'GET', path: '/whoami', limitMs: callLimitMs, as }).then(
    () => true,
    (thrown: unknown) => {
      if (NavigatorError.from(thrown).code === 'unauthenticated') return false;
      throw thrown;
    },
  );
  if (isIn) checked.set(username, mark);
  else checked.delete(username);
  return isIn;
}
