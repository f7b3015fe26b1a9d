/** What stands in files of any kind: links, addresses, the names of holds. */
import { posix } from 'node:path';
import { exists, type Rule, type Source, type Violation } from './source.ts';

/** Put together here, so that this file does not hold what it forbids. */
const registryHosts = [
  ['registry', 'npmjs.org'],
  ['registry', 'yarnpkg.com'],
  ['npm.pkg', 'github.com'],
  ['pypi', 'org'],
  ['repo1.maven', 'org'],
  ['repo.maven', 'apache.org'],
  ['proxy.golang', 'org'],
].map((parts) => parts.join('.'));
const machinePath = new RegExp(`(?<![\\w./~$}-])/(${['work', 'root', 'home', 'Users'].join('|')})/`);

function linesWhere(source: Source, fault: (line: string) => string | undefined): readonly Violation[] {
  return source.text.split('\n').flatMap((text, index) => {
    const message = fault(text);
    return message === undefined ? [] : [{ path: source.path, line: index + 1, message }];
  });
}

/** Everybody has a registry of their own, and a mirror has another address. */
export const noRegistryIsNamed: Rule = (source) =>
  linesWhere(source, (line) => {
    const host = registryHosts.find((name) => line.includes(name));
    return host === undefined ? undefined : `names a package registry: ${host}`;
  });

export const noMachinePathIsNamed: Rule = (source) =>
  linesWhere(source, (line) => {
    const found = machinePath.exec(line);
    return found === null ? undefined : `names a path of one machine: ${found[0]}…`;
  });

export const lockHasNoAddresses: Rule = (source) =>
  posix.basename(source.path) !== 'package-lock.json'
    ? []
    : linesWhere(source, (line) =>
        /^\s*"resolved":/.test(line) ? 'the lock file names a download address' : undefined,
      );

/** Every relative link of a page leads to a file. Code, fenced or not, holds no links. */
export const linksResolve: Rule = (source) => {
  if (!source.path.endsWith('.md')) return [];
  const blank = (code: string): string => code.replace(/[^\n]/g, ' ');
  const prose = source.text.replace(/^ *```[\s\S]*?^ *```/gm, blank).replace(/`[^`\n]+`/g, blank);
  return linesWhere({ path: source.path, text: prose }, (line) => {
    const inline = line.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g);
    const defined = line.matchAll(/^\s*\[[^\]]+\]:\s*<?([^\s>]+)/g);
    for (const [, target = ''] of [...inline, ...defined]) {
      const path = decodeURIComponent(target.split('#')[0] ?? '');
      if (path === '' || /^[a-z][a-z0-9+.-]*:/i.test(path)) continue;
      const full = path.startsWith('/') ? path.slice(1) : posix.join(posix.dirname(source.path), path);
      if (!exists(full)) return `a link leads nowhere: ${target}`;
    }
    return undefined;
  });
};

/** The names that docs/holds.md has a heading for: a line "### `name`". */
function described(page: string): readonly string[] {
  return [...page.matchAll(/^### `([a-z_]+)`$/gm)].map(([, name = '']) => name);
}

/** Holds that the page says nothing of, and headings of holds that are no more. */
export function holdFaults(names: readonly string[], page: string): readonly string[] {
  const sections = described(page);
  return [
    ...names.filter((name) => !sections.includes(name)).map((name) => `${name} is not described`),
    ...sections.filter((name) => !names.includes(name)).map((name) => `${name} is described and is no hold`),
    ...sections.filter((name, index) => sections.indexOf(name) !== index).map((name) => `${name} is described twice`),
    ...page
      .split(/^### /m)
      .slice(1)
      .filter((section) => section.split('\n').slice(1).join(' ').trim().length < 80)
      .map((section) => `${section.split('\n')[0] ?? ''} is described in too few words`),
  ];
}
