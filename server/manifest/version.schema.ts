/** Versions of a database, and which way leads from one to the next, in CEL. */
import type { CelRule, StructuralSchema } from './schema.ts';

interface Versions {
  readonly application: string;
  readonly example: string;
  /** CEL that says whether a semantic version is one that Navigator knows, and the same in words. */
  readonly known: string;
  readonly words: string;
  /** The last minor of each major, from which alone the next major is reached; absent: every minor leads there. */
  readonly lastMinors?: Readonly<Record<number, number>>;
  /** Whether there is a way back while an upgrade is under way. How far it goes depends on how the cluster is. */
  readonly mayGoBack?: boolean;
}

const semantic = "matches('^[0-9]+[.][0-9]+[.][0-9]+$')";
const part = (version: string, at: 0 | 1 | 2): string => `int(${version}.split('.')[${at}])`;
const [major, minor] = [part('self', 0), part('self', 1)];
const [oldMajor, oldMinor] = [part('oldSelf', 0), part('oldSelf', 1)];
/** Another rule speaks about a version that is none. */
const unlessNone = `!self.${semantic} || !oldSelf.${semantic} || `;

/** The `version` of a spec: semantic, known, never going back, and reachable. */
export function versionSchema(versions: Versions): StructuralSchema {
  const { application, example, known, words } = versions;
  return {
    type: 'string',
    description: `the version of ${application}, such as ${example}`,
    maxLength: 32,
    'x-kubernetes-validations': [
      {
        rule: "self.matches('^(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)$')",
        message: `must be a full semantic version, such as ${example}`,
      },
      { rule: `!self.${semantic} || ${known}`, message: `Navigator knows ${application} ${words}` },
      ...(versions.mayGoBack === true ? [] : [noDowngrade(application)]),
      versions.lastMinors === undefined ? oneMajor() : byLastMinors(versions.lastMinors),
    ],
  };
}

function noDowngrade(application: string): CelRule {
  const patch = `${part('self', 2)} >= ${part('oldSelf', 2)}`;
  const sameMajor = `${major} == ${oldMajor} && (${minor} > ${oldMinor} || (${minor} == ${oldMinor} && ${patch}))`;
  const reason = `and ${application} cannot read what a later version has written`;
  return {
    rule: `${unlessNone}${major} > ${oldMajor} || (${sameMajor})`,
    message: `is a downgrade, ${reason}`,
    messageExpression: `'is a downgrade from ' + oldSelf + ', ${reason}: keep ' + oldSelf + ' or a later one'`,
  };
}

function oneMajor(): CelRule {
  return {
    rule: `${unlessNone}${major} <= ${oldMajor} + 1`,
    message: 'skips a major version: upgrade one major at a time',
  };
}

function byLastMinors(lastMinors: Readonly<Record<number, number>>): CelRule {
  const majors = Object.entries(lastMinors).map(([from, last]) => ({ from: Number(from), last }));
  const atLast = majors.map(({ from, last }) => `(${oldMajor} == ${from} && ${oldMinor} == ${last})`).join(' || ');
  const isStop = majors.map(({ from, last }) => {
    return `(${from} >= ${oldMajor} && ${from} < ${major} && !(${from} == ${oldMajor} && ${oldMinor} == ${last}))`;
  });
  // Of literals alone: Kubernetes takes the text of a number, or one from a map, for unbounded, and refuses the message.
  const stops = majors.map(({ from, last }, at) => {
    const before = at === 0 ? "''" : `(${isStop.slice(0, at).join(' || ')} ? ', then to ' : '')`;
    return `(${isStop[at] ?? 'false'} ? ${before} + '${from}.${last}' : '')`;
  });
  return {
    rule: `${unlessNone}${major} <= ${oldMajor} || (${major} == ${oldMajor} + 1 && (${atLast}))`,
    message: 'cannot be reached directly: upgrade to the last minor of each major on the way first',
    messageExpression: `'there is no direct way from ' + oldSelf + ': upgrade to ' + ${stops.join(' + ')} + ' first'`,
  };
}
