/** PURE: from what a member is meant to be to the files and the command line of Elasticsearch. */
import { stringify } from 'yaml';
import { NavigatorError } from '../../../shared/errors.ts';
import type { MemberSpec } from '../../model.ts';
import type { Place } from '../engine.ts';
import { familyOf, type Family } from './family.ts';

/** Settings that Navigator decides: a value of a person's would make its evidence or its quorum untrue. */
const reserved = new Set([
  'cluster.name',
  'node.name',
  'node.master',
  'node.data',
  'node.ingest',
  'path.conf',
  'path.data',
  'path.home',
  'path.logs',
  'http.enabled',
  'http.port',
  'transport.tcp.port',
  'transport.port',
  'discovery.zen.minimum_master_nodes',
]);

const knownRoles = ['master', 'data', 'ingest'];
const smallHeapBytes = 256 * 1024 * 1024;

/** The paths of a member, all below its own directory. */
export interface Paths {
  readonly home: string;
  readonly data: string;
  readonly logs: string;
  readonly config: string;
  readonly tmp: string;
}

/** Where everything of a member lies for one version. A path with white space is refused: Elasticsearch's scripts split it. */
export function pathsOf(place: Place, version: string): Paths {
  const { directory } = place;
  for (const path of [directory, place.distribution, place.javaHome]) {
    if (/\s/.test(path)) {
      throw new NavigatorError('invalid', `the path "${path}" has white space, which Elasticsearch cannot run with`);
    }
  }
  return {
    home: `${directory}/home-${version}`,
    data: `${directory}/data`,
    logs: `${directory}/logs`,
    config: `${directory}/config`,
    tmp: `${directory}/tmp`,
  };
}

/** The text of elasticsearch.yml: Navigator's own flat keys, and over them those of `spec.config`. */
export function elasticsearchYml(spec: MemberSpec, place: Place): string {
  const family = familyOf(spec.version);
  const paths = pathsOf(place, spec.version);
  for (const role of spec.roles) {
    if (!knownRoles.includes(role)) {
      throw new NavigatorError('invalid', `the role "${role}" is unknown to Elasticsearch ${spec.version}`, {
        advice: [`the roles are ${knownRoles.join(', ')}`],
      });
    }
  }
  const settings: Record<string, unknown> = {
    'cluster.name': place.cluster,
    'node.name': place.member,
    'node.master': spec.roles.includes('master'),
    'node.data': spec.roles.includes('data'),
    'node.ingest': spec.roles.includes('ingest'),
    ...network(place),
    'http.port': place.httpPort,
    'transport.tcp.port': place.transportPort,
    'path.data': paths.data,
    'path.logs': paths.logs,
    ...discovery(family, spec),
    ...ownConfig(spec.config),
  };
  // Quoted always: 5.6 takes a bare host:port, and several other bare words, for something else.
  return stringify(settings, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });
}

/**
 * In a pod the database listens on more than its peers are told of; and where a pod was, nobody refuses a connection, so that
 * a new master would wait for the old one's address for 30 s (docs/decisions/0030-a-pod-that-is-gone-refuses-nothing.md).
 */
function network(place: Place): Record<string, unknown> {
  if (place.bind === undefined) return { 'network.host': place.address };
  return {
    'network.bind_host': place.bind,
    'network.publish_host': place.publish ?? place.address,
    'transport.tcp.connect_timeout': '3s',
  };
}

function discovery(family: Family, spec: MemberSpec): Record<string, unknown> {
  switch (family) {
    case '5':
    case '6':
      return {
        'discovery.zen.ping.unicast.hosts': [...spec.seeds],
        ...(spec.quorum > 0 ? { 'discovery.zen.minimum_master_nodes': spec.quorum } : {}),
      };
  }
}

function ownConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  flatten(config, '', flat);
  for (const key of Object.keys(flat)) {
    if (reserved.has(key)) {
      throw new NavigatorError('invalid', `the setting "${key}" is Navigator's own and cannot be configured`, {
        advice: ['take it out of the config of the cluster or of the node pool'],
      });
    }
  }
  return flat;
}

function flatten(from: Readonly<Record<string, unknown>>, prefix: string, into: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(from)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'object' && !Array.isArray(value)) {
      flatten(value as Record<string, unknown>, `${prefix}${key}.`, into);
    } else {
      into[prefix + key] = value;
    }
  }
}

/**
 * The text of jvm.options. Both lines of the database ship one for Java 8, whose collector Java 17 refuses. A small
 * heap gets the compiler that starts fastest and takes least memory, and on loopback the collector, too: it would
 * fail the bootstrap checks that every other address brings.
 */
export function jvmOptions(spec: MemberSpec, place: Place): string {
  const paths = pathsOf(place, spec.version);
  const mebibytes = Math.max(1, Math.floor(spec.heapBytes / 1024 ** 2));
  const small = spec.heapBytes <= smallHeapBytes;
  const lines = [
    `-Xms${mebibytes}m`,
    `-Xmx${mebibytes}m`,
    ...(small && place.bind === undefined
      ? ['-XX:+UseSerialGC']
      : ['-XX:+UseG1GC', '-XX:InitiatingHeapOccupancyPercent=30']),
    small ? '-XX:TieredStopAtLevel=1' : '-XX:+AlwaysPreTouch',
    '-Xss1m',
    '-Djava.awt.headless=true',
    '-Dfile.encoding=UTF-8',
    '-Djna.nosys=true',
    '-XX:-OmitStackTraceInFastThrow',
    '-Dio.netty.noUnsafe=true',
    '-Dio.netty.noKeySetOptimization=true',
    '-Dio.netty.recycler.maxCapacityPerThread=0',
    '-Dlog4j.shutdownHookEnabled=false',
    '-Dlog4j2.disable.jmx=true',
    '-Dlog4j2.formatMsgNoLookups=true',
    `-Djava.io.tmpdir=${paths.tmp}`,
    `-Djna.tmpdir=${paths.tmp}`,
    `-XX:ErrorFile=${paths.logs}/hs_err_pid%p.log`,
    ...(familyOf(spec.version) === '5'
      ? // A peer that comes back in another pod has its name and another address. 6 has settings of its own for it.
        ['-Dlog4j.skipJansi=true', '-Dsun.net.inetaddr.ttl=60', '-Dsun.net.inetaddr.negative.ttl=10']
      : [
          '-Des.networkaddress.cache.ttl=60',
          '-Des.networkaddress.cache.negative.ttl=10',
          '9-:-Djava.locale.providers=COMPAT',
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** What Elasticsearch's own scripts are given, and nothing else of the pilot's environment. `path` is that of the tools. */
export function environment(spec: MemberSpec, place: Place, path: string): Record<string, string> {
  const paths = pathsOf(place, spec.version);
  const common = { PATH: path, JAVA_HOME: place.javaHome, HOME: paths.tmp, TMPDIR: paths.tmp, LANG: 'C.UTF-8' };
  switch (familyOf(spec.version)) {
    case '5':
      return { ...common, CONF_DIR: paths.config, ES_JVM_OPTIONS: `${paths.config}/jvm.options` };
    case '6':
      return { ...common, ES_PATH_CONF: paths.config, ES_TMPDIR: paths.tmp };
  }
}

/** The program and arguments that become the database's process; each step of them execs the next, so the pid stays. */
export function commandLine(spec: MemberSpec, place: Place): readonly [string, ...string[]] {
  const paths = pathsOf(place, spec.version);
  const script = `${paths.home}/bin/elasticsearch`;
  return familyOf(spec.version) === '5' ? [script, `-Epath.conf=${paths.config}`] : [script];
}
