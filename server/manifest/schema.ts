/** The part of Kubernetes' structural OpenAPI v3 schema that Navigator's resources are written in. */

/** One schema node, as it stands in a CustomResourceDefinition. */
export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** A regular expression for strings, as Go's RE2 and JavaScript read it alike. */
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
}

/** One rule in CEL; a rule that names `oldSelf` speaks about a change and is skipped where there is nothing old. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  /** CEL for a message that shows numbers; `message` stands in where it fails. */
  readonly messageExpression?: string;
  /** The place below this node that is at fault, such as `.minimumMasters` or `['node.name']`. */
  readonly fieldPath?: string;
}
