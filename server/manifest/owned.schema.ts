/** The settings that belong to Navigator, as a schema: a custom resource refuses them when it is applied. */
import { ownedSettings, type OwnedSetting } from './config.ts';
import type { CelRule, StructuralSchema } from './schema.ts';

type Properties = Record<string, StructuralSchema>;

const leaves: Readonly<Record<OwnedSetting['type'], StructuralSchema>> = {
  string: { type: 'string', maxLength: 4096 },
  strings: { type: 'array', items: { type: 'string', maxLength: 4096 }, maxItems: 256 },
  integer: { 'x-kubernetes-int-or-string': true, maxLength: 16 },
  boolean: { type: 'boolean' },
};

/**
 * What a schema of raw settings has to say besides, so that its rules see the settings that belong to Navigator, written
 * with dots or nested. A mixture of both, and a value of another type, are seen by the server alone.
 */
export function ownedSettingsSchema(): StructuralSchema {
  const properties: Properties = {};
  const rules: CelRule[] = [];
  for (const { key, type, reason } of ownedSettings) {
    const steps = key.split('.');
    const message = `belongs to Navigator: ${reason}`;
    if (steps.length === 1) {
      properties[key] = branch(properties[key]);
    } else {
      properties[key] = leaves[type];
      rules.push({ rule: `!has(self.${steps.join('__dot__')})`, message, fieldPath: `['${key}']` });
      plant(properties, steps, leaves[type]);
    }
    const places = steps.map((_, at) => `has(self.${steps.slice(0, at + 1).join('.')})`);
    rules.push({ rule: `!(${places.join(' && ')})`, message, fieldPath: `.${key}` });
  }
  return { properties, 'x-kubernetes-validations': rules };
}

function plant(properties: Properties, [first = '', ...rest]: readonly string[], leaf: StructuralSchema): void {
  if (rest.length === 0) {
    properties[first] = leaf;
    return;
  }
  const below = { ...properties[first]?.properties };
  plant(below, rest, leaf);
  properties[first] = { ...branch(undefined), properties: below };
}

function branch(there: StructuralSchema | undefined): StructuralSchema {
  return there ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
}
