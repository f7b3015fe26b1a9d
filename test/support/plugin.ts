/** Makes a real, tiny Elasticsearch plugin, so that the plugin tool of a distribution has something to install. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Place } from '../../pilot/engine/engine.ts';

/** The file: URL of a plugin of this name for the distribution at `place`. */
export function buildPlugin(
  directory: string,
  name: string,
  place: Pick<Place, 'distribution' | 'javaHome'>,
): Promise<string> {
  const version = /elasticsearch-(\d+\.\d+\.\d+)$/.exec(place.distribution)?.[1] ?? '';
  const work = join(directory, `plugin-${name}`);
  // 5.6 wants everything in a folder `elasticsearch` inside the archive, 6 wants it flat.
  const content = version.startsWith('5.') ? join(work, 'zip/elasticsearch') : join(work, 'zip');
  const classes = join(work, 'classes');
  mkdirSync(content, { recursive: true });
  mkdirSync(classes, { recursive: true });
  const type = `${name.replaceAll('-', '')}Plugin`;
  const source = join(work, `${type}.java`);
  writeFileSync(source, `public class ${type} extends org.elasticsearch.plugins.Plugin {}\n`);
  const java = (tool: string): string => join(place.javaHome, 'bin', tool);
  const path = join(place.distribution, 'lib/*');
  execFileSync(java('javac'), ['-proc:none', '-nowarn', '-cp', path, '--release', '8', '-d', classes, source]);
  execFileSync(java('jar'), ['cf', join(content, `${name}.jar`), '-C', classes, '.']);
  const properties = {
    description: 'does nothing',
    version: '1.0',
    name,
    classname: type,
    'java.version': '1.8',
    'elasticsearch.version': version,
    'has.native.controller': 'false',
  };
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
  writeFileSync(join(content, 'plugin-descriptor.properties'), `${lines.join('\n')}\n`);
  const archive = join(work, `${name}-1.0.zip`);
  execFileSync(java('jar'), ['cfM', archive, '-C', join(work, 'zip'), '.']);
  return Promise.resolve(pathToFileURL(archive).href);
}
