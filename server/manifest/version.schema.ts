/**
 * Versions of a database, and which way leads from one to the next, in CEL. A way begins where the members are, which the
 * status says: what was wanted and refused in between was run by nobody, and keeps nobody from going back.
 */
import type { CelRule, StructuralSchema } from './schema.ts';

export interface Versions {
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

/** CEL for the version that a way begins at, and for whether that is known. */
interface Start {
  readonly version: string;
  readonly isKnown: string;
}

const semantic = "matches('^[0-9]+[.][0-9]+[.][0-9]+$')";
const part = (version: string, at: 0 | 1 | 2): string => `int(${version}.split('.')[${at}])`;
const [wanted, before] = ['self.spec.version', 'oldSelf.spec.version'];
const [major, minor] = [part(wanted, 0), part(wanted, 1)];

/** Nobody has looked at the object yet, or there is no status, as in the embedded runtime: what stood there counts. */
const formerSpec: Start = {
  version: before,
  isKnown: '(!has(self.status) || !has(self.status.observedGeneration))',
};
/** Where nothing was ever taken up there is none, and every way is open. */
const accepted: Start = inStatus('acceptedVersion');
const lowest: Start = inStatus('version');

function inStatus(field: string): Start {
  return { version: `self.status.${field}`, isKnown: `(has(self.status) && has(self.status.${field}))` };
}

/** The `version` of a spec: semantic, and known. */
export function versionSchema({ application, example, known, words }: Versions): StructuralSchema {
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
    ],
  };
}

/** Rules about a whole cluster: its version does not go back, unless it may, and is reachable for every member. */
export function versionRules({ application, lastMinors, mayGoBack }: Versions): readonly CelRule[] {
  const reachable = (start: Start): CelRule =>
    lastMinors === undefined ? oneMajor(start) : byLastMinors(start, lastMinors);
  const back = mayGoBack === true ? [] : [noDowngrade(application, accepted), noDowngrade(application, formerSpec)];
  return [...back, reachable(lowest), reachable(formerSpec)];
}

/** A change from where it is known, between versions that are some: other rules speak about the rest. */
function about({ version, isKnown }: Start, holds: string, told: Omit<CelRule, 'rule'>): CelRule {
  const isChange = `${wanted} == ${before} || !${isKnown}`;
  const rule = `${isChange} || !${wanted}.${semantic} || !${version}.${semantic} || ${holds}`;
  return { rule, ...told, fieldPath: '.spec.version' };
}

function noDowngrade(application: string, start: Start): CelRule {
  const from = start.version;
  const patch = `${part(wanted, 2)} >= ${part(from, 2)}`;
  const sameMinor = `${minor} == ${part(from, 1)} && ${patch}`;
  const sameMajor = `${major} == ${part(from, 0)} && (${minor} > ${part(from, 1)} || (${sameMinor}))`;
  const reason = `and ${application} cannot read what a later version has written`;
  return about(start, `${major} > ${part(from, 0)} || (${sameMajor})`, {
    message: `is a downgrade, ${reason}`,
    messageExpression: `'is a downgrade from ' + ${from} + ', ${reason}: keep ' + ${from} + ' or a later one'`,
  });
}

function oneMajor(start: Start): CelRule {
  return about(start, `${major} <= ${part(start.version, 0)} + 1`, {
    message: 'skips a major version: upgrade one major at a time',
  });
}

function byLastMinors(start: Start, lastMinors: Readonly<Record<number, number>>): CelRule {
  const [oldMajor, oldMinor] = [part(start.version, 0), part(start.version, 1)];
  const majors = Object.entries(lastMinors).map(([from, last]) => ({ from: Number(from), last }));
  const atLast = majors.map(({ from, last }) => `(${oldMajor} == ${from} && ${oldMinor} == ${last})`).join(' || ');
  const isStop = majors.map(({ from, last }) => {
    return `(${from} >= ${oldMajor} && ${from} < ${major} && !(${from} == ${oldMajor} && ${oldMinor} == ${last}))`;
  });
  // Of literals alone: Kubernetes takes the text of a number, or one from a map, for unbounded, and refuses the message.
  const stops = majors.map(({ from, last }, at) => {
    const first = at === 0 ? "''" : `(${isStop.slice(0, at).join(' || ')} ? ', then to ' : '')`;
    return `(${isStop[at] ?? 'false'} ? ${first} + '${from}.${last}' : '')`;
  });
  return about(start, `${major} <= ${oldMajor} || (${major} == ${oldMajor} + 1 && (${atLast}))`, {
    message: 'cannot be reached directly: upgrade to the last minor of each major on the way first',
    messageExpression: `'there is no direct way from ' + ${start.version} + ': upgrade to ' + ${stops.join(' + ')} + ' first'`,
  });
}
