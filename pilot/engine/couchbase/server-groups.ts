/** Server groups, as the vendor documents them: groups of nodes that can fail together. The database keeps copies apart. */
import { NavigatorError } from '../../../shared/errors.ts';
import type { Rest } from './rest.ts';

const callLimitMs = 10_000;
const groupsPath = '/pools/default/serverGroups';

interface GroupAnswer {
  readonly name: string;
  readonly uri: string;
  readonly addNodeURI: string;
  readonly nodes: readonly { readonly otpNode: string }[];
}

interface GroupsAnswer {
  readonly groups: readonly GroupAnswer[];
  /** With the revision that a change of it must name. */
  readonly uri: string;
}

async function read(rest: Rest): Promise<GroupsAnswer> {
  const answer = (await rest.call({ method: 'GET', path: groupsPath, limitMs: callLimitMs })) as Partial<GroupsAnswer>;
  const { groups, uri } = answer;
  if (groups === undefined || uri === undefined)
    throw new NavigatorError('unavailable', 'the server groups cannot be read');
  return { groups, uri };
}

/** The group of this name, made where there is none. */
export async function groupNamed(rest: Rest, name: string): Promise<GroupAnswer> {
  const found = (await read(rest)).groups.find((group) => group.name === name);
  if (found !== undefined) return found;
  await rest.call({ method: 'POST', path: groupsPath, form: { name }, limitMs: callLimitMs });
  const made = (await read(rest)).groups.find((group) => group.name === name);
  if (made === undefined) throw new NavigatorError('unavailable', `the server group ${name} is not there yet`);
  return made;
}

/** Puts one node into a group. Rejects where somebody else has changed the groups meanwhile: the revision tells. */
export async function moveTo(rest: Rest, otpNode: string, name: string): Promise<void> {
  await groupNamed(rest, name);
  const { groups, uri } = await read(rest);
  const json = {
    groups: groups.map((group) => {
      const others = group.nodes.filter((node) => node.otpNode !== otpNode).map((node) => ({ otpNode: node.otpNode }));
      return { uri: group.uri, name: group.name, nodes: group.name === name ? [...others, { otpNode }] : others };
    }),
  };
  await rest.call({ method: 'PUT', path: uri, json, limitMs: callLimitMs });
}
