/** All that a node is asked by its peers, and by tests. */
import { hearOfCopies } from './copies.ts';
import type { Node } from './node.ts';
import type { Form } from './operations.ts';
import { lead } from './rest.ts';

/** What it answers. */
export function hear(node: Node, method: string, body: unknown): unknown {
  if (method === 'lead') {
    const { path, form } = body as { path: string; form: Form };
    return lead(node, path, form);
  }
  return hearOfCopies(node, method, body) ?? node.hear(method, body);
}
