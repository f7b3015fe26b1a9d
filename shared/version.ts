/** Which Navigator this is. */
import { readFileSync } from 'node:fs';

/** The version in this package's package.json. */
export function navigatorVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
