/** The end-to-end tests run what the README says: each step that they want is there, and each that is there they know. */
import { expect } from 'chai';
import { readSteps } from '../../e2e/checks/readme.ts';

describe("the README's quick start on Kubernetes", () => {
  it('has every step that is run, in this order', () => {
    const steps = ['install', 'create', 'grow', 'shrink', 'evict', 'upgrade', 'delete'];
    expect([...readSteps().keys()]).to.deep.equal(steps);
  });
  it('is looked for under its heading alone', () => {
    const text =
      '\n## On Kubernetes\n\n<!-- step: a -->\n\n```sh\nx\n```\n\n## Next\n\n<!-- step: b -->\n\n```sh\ny\n```\n';
    expect([...readSteps(text)]).to.deep.equal([['a', 'x\n']]);
    expect(() => readSteps('# Nothing\n')).to.throw('has no part');
  });
});
