/** What is to be done about certificates, step by step, over the years: nobody is ever without an authority that they need. */
import { expect } from 'chai';
import { X509Certificate } from 'node:crypto';
import { nextStep, type CertificateRule, type Held } from '../../server/kubernetes/certificate-plan.ts';
import { taken } from '../../server/kubernetes/certificates.ts';

const hour = 3_600_000;
const rule: CertificateRule = {
  certificateMs: 30 * hour,
  authorityMs: 300 * hour,
  overlapMs: 24 * hour,
  backdateMs: hour,
};
const names = ['navigator.system.svc', '127.0.0.1'];
const start = Date.UTC(2026, 0, 1);

/** All that is due at this time, and the kinds of the steps. */
async function bring(held: Held, nowMs: number, called = names): Promise<{ held: Held; steps: string[] }> {
  const steps: string[] = [];
  for (;;) {
    const step = nextStep(held, { names: called, nowMs, rule });
    if (step.kind === 'use' || step.kind === 'wait') return { held, steps: [...steps, step.kind] };
    steps.push(step.kind);
    expect(steps.length).to.be.below(8);
    held = await taken(held, step, { names: called, nowMs, rule });
  }
}

const fresh = async (): Promise<Held> => (await bring({ authorities: [] }, start)).held;

function isTrusted({ certificate }: Held, bundle: readonly string[], nowMs: number): boolean {
  const leaf = new X509Certificate(certificate ?? '');
  return bundle.some((pem) => {
    const ca = new X509Certificate(pem);
    const isInTime = [leaf, ca].every(
      (one) => one.validFromDate.getTime() <= nowMs && nowMs < one.validToDate.getTime(),
    );
    return leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && isInTime;
  });
}

describe('certificates', function () {
  this.timeout(60_000);

  it('are made where there are none, for every name, with the hour that clocks may differ by', async () => {
    const { held, steps } = await bring({ authorities: [] }, start);
    expect(steps).to.deep.equal(['make_authority', 'issue', 'use']);
    expect(isTrusted(held, held.authorities, start - hour + 1_000)).to.equal(true);
    const certificate = new X509Certificate(held.certificate!);
    expect(certificate.checkHost('navigator.system.svc')).to.not.equal(undefined);
    expect(certificate.checkIP('127.0.0.1')).to.not.equal(undefined);
    expect(certificate.checkHost('other.system.svc')).to.equal(undefined);
    expect(certificate.ca).to.equal(false);
  });

  const cases: readonly (readonly [string, number, (held: Held) => Held | Promise<Held>, readonly string[]])[] = [
    ['are used for two thirds of their life', 18.9, (held) => held, ['use']],
    ['are issued anew at two thirds of their life', 19, (held) => held, ['issue', 'use']],
    [
      'are issued anew where the key is of another one',
      1,
      async (held) => ({ ...held, key: (await fresh()).key! }),
      ['issue', 'use'],
    ],
    [
      'are issued anew where they cannot be read',
      1,
      (held) => ({ ...held, certificate: 'nonsense' }),
      ['issue', 'use'],
    ],
    [
      'are made from the start where the CA is gone',
      1,
      (held) => ({ ...held, authorities: [] }),
      ['make_authority', 'issue', 'use'],
    ],
    [
      'are made from the start where the key of the CA is of another one',
      1,
      async (held) => ({ ...held, authorityKey: (await fresh()).authorityKey! }),
      ['make_authority', 'issue', 'use'],
    ],
    [
      'get another CA, which signs nothing yet, at two thirds of the life of the first',
      199,
      (held) => held,
      ['make_authority', 'issue', 'use'],
    ],
    [
      'get another CA, which signs at once, where the first has ended',
      300,
      (held) => held,
      ['make_authority', 'forget', 'issue', 'use'],
    ],
    ['that somebody else has made are used, however old', 29 - 1.5, ({ authorityKey: _key, ...held }) => held, ['use']],
    [
      'that somebody else has made are waited for where they have ended',
      29,
      ({ authorityKey: _key, ...held }) => held,
      ['wait'],
    ],
    [
      'that somebody else has made are waited for where their CA is missing',
      1,
      ({ authorityKey: _key, ...held }) => ({ ...held, authorities: [] }),
      ['wait'],
    ],
    [
      'that somebody else has made are waited for where the key is wrong',
      1,
      async ({ authorityKey: _key, ...held }) => ({ ...held, key: (await fresh()).key! }),
      ['wait'],
    ],
    [
      'that somebody else has made are waited for where they cannot be read',
      1,
      ({ authorityKey: _key, ...held }) => ({ ...held, certificate: 'x' }),
      ['wait'],
    ],
  ];
  for (const [what, hours, change, expected] of cases) {
    it(what, async () => {
      const { steps } = await bring(await change(await fresh()), start + hours * hour);
      expect(steps).to.deep.equal(expected);
    });
  }

  it('are issued anew for another name', async () => {
    const { held, steps } = await bring(await fresh(), start, [...names, 'another']);
    expect(steps).to.deep.equal(['issue', 'use']);
    expect(new X509Certificate(held.certificate!).checkHost('another')).to.not.equal(undefined);
  });

  it('are trusted by whoever has read the bundle within a day, at every hour of years; and it stays short', async () => {
    let held = await fresh();
    const bundles: (readonly string[])[] = [];
    const steps = new Set<string>();
    for (let hours = 0; hours < 1_000; hours++) {
      const nowMs = start + hours * hour;
      const step = nextStep(held, { names, nowMs, rule });
      if (step.kind !== 'use' || nowMs >= step.untilMs) {
        const brought = await bring(held, nowMs);
        held = brought.held;
        for (const kind of brought.steps) steps.add(kind);
      }
      bundles.push(held.authorities);
      for (const bundle of new Set(bundles.slice(-24)))
        expect(isTrusted(held, bundle, nowMs), `hour ${hours}`).to.equal(true);
      expect(held.authorities.length).to.be.within(1, 3);
    }
    expect([...steps]).to.have.members(['use', 'issue', 'make_authority', 'promote', 'forget']);
  });
});
