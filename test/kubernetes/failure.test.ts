/** What the real API server answers where it refuses, as errors of ours. */
import { expect } from 'chai';
import { answerError } from '../../server/kubernetes/failure.ts';
import type { Answer } from '../support/kubernetes/call.ts';
import { caller } from '../support/kubernetes/call.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { goodManifest } from '../unit/manifest.table.ts';

const kubernetes = useKubernetes();
const core = '/api/v1/namespaces';
const map = { metadata: { name: 'x' } };

async function clusterOf(characters: number): Promise<Answer> {
  const namespace = await kubernetes().namespace();
  const manifest = goodManifest();
  manifest.spec.config = { 'node.attr.large': 'x'.repeat(characters) };
  const path = `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/elasticsearchclusters`;
  return kubernetes().call('POST', path, manifest);
}

const refusals: readonly (readonly [string, string, () => Promise<Answer>])[] = [
  ['what is too large for etcd', 'exhausted', () => clusterOf(1_600_000)],
  ['what is too large for the API server', 'exhausted', () => clusterOf(4_000_000)],
  ['what is not there', 'not_found', () => kubernetes().call('GET', `${core}/default/configmaps/none`)],
  ['a kind that is not installed', 'unsupported', () => kubernetes().call('GET', '/apis/example.com/v1/things')],
  ['what is there', 'already_exists', () => kubernetes().call('POST', core, { metadata: { name: 'default' } })],
  ['what is no object', 'invalid', () => kubernetes().call('POST', core, { metadata: { name: 'A B' } })],
  ['who may not', 'forbidden', () => caller(kubernetes().api, 'nobody')('GET', core)],
  [
    'who is nobody',
    'unauthenticated',
    () => kubernetes().call('GET', core, undefined, { authorization: 'Bearer wrong' }),
  ],
  [
    'who comes too late',
    'conflict',
    async () => {
      const namespace = await kubernetes().namespace();
      const made = await kubernetes().call('POST', `${core}/${namespace}/configmaps`, map);
      const stale = { metadata: { name: 'x', resourceVersion: '1' } };
      return kubernetes().call('PUT', `${core}/${namespace}/configmaps/${String(made.body.metadata.name)}`, stale);
    },
  ],
];

describe('a refusal of the API server', () => {
  for (const [what, code, ask] of refusals) {
    it(`${what} is ${code}`, async () => {
      const { status, body } = await ask();
      // Text that is no JSON comes as a message alone.
      const text = body.kind === 'Status' ? JSON.stringify(body) : String(body.message);
      const error = answerError('there', status, text);
      expect(error.code, `${status} ${text}`).to.equal(code);
      expect(error.retryable).to.equal(code === 'conflict');
    });
  }
});
