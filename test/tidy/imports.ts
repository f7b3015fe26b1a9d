/** Imports point one way: main → loop → (reconcile, coordination) → model → shared. */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { isIn, lineAt, parse, walk, type Rule, type Source, type Violation } from './source.ts';

interface Room {
  readonly name: string;
  readonly places: readonly string[];
  /** The rooms that it may import, besides itself. */
  readonly may: readonly string[];
}

const core = ['reconcile', 'coordination', 'server port', 'server model', 'shared'];

/** The first room whose place fits is a file's room. */
const rooms: readonly Room[] = [
  { name: 'shared', places: ['shared/'], may: [] },
  { name: 'proto', places: ['proto/'], may: [] },
  { name: 'server model', places: ['server/model/'], may: ['shared'] },
  { name: 'manifest', places: ['server/manifest/'], may: ['server model', 'shared'] },
  { name: 'reconcile', places: ['server/reconcile/'], may: ['coordination', 'server model', 'shared'] },
  { name: 'coordination', places: ['server/coordination/'], may: ['reconcile', 'server model', 'shared'] },
  {
    name: 'server port',
    places: ['server/store/store.ts', 'server/store/lease.ts', 'server/runtime/runtime.ts', 'server/rpc/access.ts'],
    may: ['server model', 'shared'],
  },
  { name: 'kubernetes', places: ['server/kubernetes/'], may: ['server port', 'server model', 'shared'] },
  { name: 'store', places: ['server/store/'], may: ['kubernetes', 'server port', 'server model', 'shared'] },
  { name: 'runtime', places: ['server/runtime/'], may: ['kubernetes', 'server port', 'server model', 'shared'] },
  { name: 'controller', places: ['server/controller/'], may: ['loop', 'manifest', 'kubernetes', ...core] },
  { name: 'rpc', places: ['server/rpc/'], may: ['loop', 'manifest', ...core, 'proto'] },
  { name: 'web', places: ['server/web/'], may: ['loop', ...core] },
  {
    name: 'cli',
    places: ['server/cli/', 'server/main.ts', 'server/embedded.ts', 'server/on-kubernetes.ts'],
    may: ['rpc', 'web', 'store', 'runtime', 'controller', 'kubernetes', 'loop', 'manifest', 'replay', ...core, 'proto'],
  },
  { name: 'loop', places: ['server/*', 'server/loop/'], may: core },
  { name: 'pilot model', places: ['pilot/model.ts'], may: ['shared'] },
  { name: 'engine', places: ['pilot/engine/'], may: ['pilot model', 'shared'] },
  { name: 'supervisor', places: ['pilot/supervisor/'], may: ['engine', 'pilot model', 'shared'] },
  { name: 'pilot', places: ['pilot/'], may: ['engine', 'supervisor', 'pilot model', 'shared', 'proto'] },
  // It reads what both have recorded, and neither knows of it.
  { name: 'replay', places: ['replay/'], may: ['loop', 'pilot', 'supervisor', ...core] },
];

/** Decisions: no clock, no disk, no network, no log. */
const purePlaces = [
  'server/reconcile/',
  'server/coordination/',
  'server/model/',
  'pilot/supervisor/step.ts',
  'pilot/model.ts',
];
const purePackages = ['semver'];
const impureShared = ['shared/log.ts', 'shared/tls.ts'];

/** Where generated code may be imported. Any file named wire.ts may, too. */
const generatedImporters = ['proto/', 'server/rpc/', 'pilot/session.ts', 'server/cli/client.ts'];

/** What reaches the world. Only its own folder and the wiring may import it. */
const liveAdapters = [
  'server/store/sqlite.ts',
  'server/store/kubernetes.ts',
  'server/store/kubernetes-lease.ts',
  'server/runtime/local/',
  'server/runtime/kubernetes/',
  'pilot/engine/elasticsearch/',
  'pilot/engine/couchbase/',
  ...['process', 'reaper', 'probes', 'signals', 'state'].map((name) => `pilot/supervisor/${name}.ts`),
];
const wiring = ['server/main.ts', 'server/embedded.ts', 'server/on-kubernetes.ts', 'pilot/main.ts'];

interface Import {
  readonly target: string;
  readonly line: number;
}

/** Every module that a file names: import, export … from, import(), import type. */
function importsOf(source: Source): readonly Import[] {
  const file = parse(source);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined): void => {
    if (node && ts.isStringLiteralLike(node)) found.push({ target: node.text, line: lineAt(file, node.getStart()) });
  };
  walk(file, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0]);
  });
  return found;
}

function roomOf(path: string): Room | undefined {
  return rooms.find((room) => isIn(path, room.places));
}

function folderOf(place: string): string {
  return place.endsWith('/') ? place : `${posix.dirname(place)}/`;
}

function packageFault(path: string, target: string): string | undefined {
  if (!isIn(path, purePlaces) || purePackages.includes(target)) return undefined;
  const isNode = target.startsWith('node:') || builtinModules.includes(target);
  return `${isNode ? 'a pure room imports no Node module' : 'a pure room imports no such package'}: ${target}`;
}

function fileFault(path: string, target: string): string | undefined {
  const from = roomOf(path);
  const to = roomOf(target);
  if (from === undefined) return 'this file is in no room of the design';
  if (to === undefined) return `${target} is in no room of the design`;
  if (target === 'server/main.ts' || target === 'pilot/main.ts') return `nothing imports ${target}`;
  if (to.name === 'proto' && !isIn(path, generatedImporters) && posix.basename(path) !== 'wire.ts') {
    return `generated code is not imported here: ${target}`;
  }
  const adapter = liveAdapters.find((place) => isIn(target, [place]));
  if (adapter !== undefined && !path.startsWith(folderOf(adapter)) && !wiring.includes(path)) {
    return `only the wiring imports a live adapter: ${target}`;
  }
  const isPure = isIn(target, purePlaces) || (to.name === 'shared' && !impureShared.includes(target));
  if (isIn(path, purePlaces) && !isPure) return `a pure room does not import ${target}`;
  const mayWire = posix.basename(path) === 'wire.ts' && to.name === 'proto';
  if (from === to || mayWire || from.may.includes(to.name)) return undefined;
  return `${from.name} does not import ${to.name}: ${target}`;
}

/** Holds for server/, pilot/, replay/, shared/ and proto/; tests may import anything. */
export const importsPointOneWay: Rule = (source) => {
  if (!/^(server|pilot|replay|shared|proto)\/.*\.ts$/.test(source.path)) return [];
  return importsOf(source).flatMap(({ target, line }): readonly Violation[] => {
    const message = target.startsWith('.')
      ? fileFault(source.path, posix.join(posix.dirname(source.path), target))
      : packageFault(source.path, target);
    return message === undefined ? [] : [{ path: source.path, line, message }];
  });
};
