/** The token that a call bears. */
import type { Metadata } from '@grpc/grpc-js';

/** Empty where there is none. The scheme may be written in any case. */
export function bearer(metadata: Metadata): string {
  const [value] = metadata.get('authorization');
  return typeof value === 'string' && /^bearer /i.test(value) ? value.slice('Bearer '.length) : '';
}
