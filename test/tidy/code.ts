/** Sizes, names, and the calls that would let time or chance in by the back door. */
import { posix } from 'node:path';
import ts from 'typescript';
import { lineAt, parse, walk, type Rule, type Violation } from './source.ts';

const fileLinesMax = 400;
const functionLinesMax = 70;
const parametersMax = 4;

const isOurs = (path: string): boolean => /^(server|pilot|replay|shared)\/.*\.ts$/.test(path);
const isWritten = (path: string): boolean => /^(server|pilot|replay|shared|test|e2e|\.ci)\/.*\.(ts|js|mjs)$/.test(path);

export const filesAreShort: Rule = ({ path, text }) => {
  const lines = text.replace(/\n$/, '').split('\n').length;
  if (!isWritten(path) || lines <= fileLinesMax) return [];
  return [{ path, line: fileLinesMax + 1, message: `${lines} lines, and a file has at most ${fileLinesMax}` }];
};

/** Functions of server/, pilot/ and shared/; the callbacks of a test are as long as their table. */
export const functionsAreShort: Rule = (source) => {
  if (!isOurs(source.path)) return [];
  const file = parse(source);
  const found: Violation[] = [];
  walk(file, (node) => {
    // A signature without a body may be of somebody else's function, of libc for one.
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const line = lineAt(file, node.getStart());
    const lines = lineAt(file, node.getEnd()) - line + 1;
    if (lines > functionLinesMax) {
      found.push({
        path: source.path,
        line,
        message: `${lines} lines, and a function has at most ${functionLinesMax}`,
      });
    }
    const parameters = node.parameters.filter((parameter) => parameter.name.getText(file) !== 'this').length;
    if (parameters > parametersMax) {
      found.push({
        path: source.path,
        line,
        message: `${parameters} parameters, and a function has at most ${parametersMax}`,
      });
    }
  });
  return found;
};

const bannedMembers = ['Date.now', 'Math.random', 'performance.now', 'process.hrtime', 'crypto.randomUUID'];
const bannedCalls = ['setTimeout', 'setInterval'];
const bannedModules = ['node:timers', 'node:timers/promises', 'timers', 'timers/promises'];
const globals = ['globalThis', 'global'];

/** Names an expression without the global object in front: `globalThis.Date.now` is `Date.now`. */
function nameOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return join(nameOf(node.expression), node.argumentExpression.text);
  }
  return ts.isPropertyAccessExpression(node) ? join(nameOf(node.expression), node.name.text) : '?';
}

function join(owner: string, name: string): string {
  return globals.includes(owner) ? name : `${owner}.${name}`;
}

function bannedName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
    const name = nameOf(node);
    return bannedMembers.includes(name) ? name : undefined;
  }
  if (ts.isCallExpression(node)) {
    const name = nameOf(node.expression);
    return bannedCalls.includes(name) ? name : undefined;
  }
  if (ts.isNewExpression(node) && nameOf(node.expression) === 'Date' && !node.arguments?.length) return 'new Date()';
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return bannedModules.includes(node.moduleSpecifier.text) ? node.moduleSpecifier.text : undefined;
  }
  return undefined;
}

/** Time and chance come from shared/clock.ts and shared/random.ts, so that a seed can replay a run. */
export const timeAndChanceArePassedIn: Rule = (source) => {
  if (!isOurs(source.path) || ['shared/clock.ts', 'shared/random.ts'].includes(source.path)) return [];
  const file = parse(source);
  const found: Violation[] = [];
  walk(file, (node) => {
    const name = bannedName(node);
    if (name === undefined) return;
    const message = `${name} is for shared/clock.ts and shared/random.ts alone: take a Clock or a Random`;
    found.push({ path: source.path, line: lineAt(file, node.getStart()), message });
  });
  return found;
};

const bannedWords = ['manager', 'helper', 'util', 'handle'];

/** A file is named for its idea. */
export const namesSayWhatItIs: Rule = ({ path }) => {
  if (!isWritten(path)) return [];
  const word = bannedWords.find((banned) => posix.basename(path).toLowerCase().includes(banned));
  return word === undefined ? [] : [{ path, line: 1, message: `"${word}" in a file's name says nothing` }];
};
