/** Shape and bounds of a manifest, checked by ajv and told in words. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { problemAt, type Path, type Problem } from './problem.ts';
import type { StructuralSchema } from './schema.ts';
import { closest } from './shape.ts';

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateFormats: false });
ajv.addKeyword({
  keyword: 'x-kubernetes-int-or-string',
  validate: (wanted: unknown, value: unknown) =>
    wanted !== true || typeof value === 'string' || Number.isInteger(value),
});

const compiled = new WeakMap<StructuralSchema, ValidateFunction>();

/** Everything in `object` that the OpenAPI part of `schema` refuses. */
export function openApiProblems(schema: StructuralSchema, object: unknown): Problem[] {
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  return validate(object) ? [] : (validate.errors ?? []).map((error) => told(error, object));
}

function told(error: ErrorObject, root: unknown): Problem {
  const path = pathOf(error.instancePath, root);
  if (error.keyword === 'required') {
    const missing = String(error.params.missingProperty);
    const described = (error.parentSchema as StructuralSchema).properties?.[missing]?.description;
    return problemAt([...path, missing], undefined, `is required${described === undefined ? '' : `: ${described}`}`);
  }
  return problemAt(path, error.data, reasonOf(error));
}

function reasonOf(error: ErrorObject): string {
  const { limit } = error.params;
  switch (error.keyword) {
    case 'type':
      return typeReason(String(error.params.type), error.data);
    case 'x-kubernetes-int-or-string':
      return typeReason('string', error.data);
    case 'enum':
      return enumReason(error.params.allowedValues as readonly string[], error.data);
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `may be at most ${limit}`;
    case 'minItems':
      return `must list at least ${limit}`;
    case 'maxItems':
      return `may list at most ${limit}`;
    case 'maxProperties':
      return `may have at most ${limit} entries`;
    case 'pattern': {
      const { description } = error.parentSchema as StructuralSchema;
      return description === undefined ? 'is refused by the schema' : `must be ${description}`;
    }
    case 'maxLength':
      return `may have at most ${limit} characters`;
    default:
      return error.message ?? 'is refused by the schema';
  }
}

function typeReason(wanted: string, value: unknown): string {
  const article = /^[aeiou]/.test(wanted) ? 'an' : 'a';
  const found = value === null ? 'nothing' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  const quote = wanted === 'string' && typeof value !== 'object' ? ': put quotes around it' : '';
  const unquote = wanted === 'integer' && typeof value === 'string' ? ': write it without quotes' : '';
  const named = wanted === 'object' ? 'a map' : wanted === 'array' ? 'a list' : `${article} ${wanted}`;
  return `must be ${named} and is ${found.replace('a object', 'a map')}${quote}${unquote}`;
}

function enumReason(allowed: readonly string[], value: unknown): string {
  const close = typeof value === 'string' ? closest(value, allowed) : undefined;
  return `must be one of ${allowed.join(', ')}${close === undefined ? '' : `; did you mean ${close}?`}`;
}

/** A JSON pointer as steps: what indexes a list becomes a number. */
function pathOf(pointer: string, root: unknown): Path {
  let at: unknown = root;
  return pointer
    .split('/')
    .slice(1)
    .map((escaped) => {
      const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
      const inList = Array.isArray(at);
      at = (at as Record<string, unknown> | undefined)?.[step];
      return inList ? Number(step) : step;
    });
}
