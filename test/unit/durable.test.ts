/** What is written durably is whole, the old or the new, wherever the power is cut; and what was answered for is the new. */
import { expect } from 'chai';
import fc from 'fast-check';
import { writeDurably, type Disk } from '../../shared/durable.ts';
import { SimulatedDisk } from '../simulation/disk.ts';
import { SeededRandom } from '../simulation/random.ts';

const path = '/member/pilot.json';

class PowerCut extends Error {}

/** Ends at the call of this number, as a power cut does. */
function cutAfter(disk: SimulatedDisk, calls: number): Disk {
  let left = calls;
  return new Proxy(disk, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as (...words: unknown[]) => unknown;
      return (...words: unknown[]) => {
        if (left-- <= 0) throw new PowerCut();
        return method.apply(target, words);
      };
    },
  });
}

describe('a durable write', () => {
  it('leaves the old or the new whole text, wherever the power is cut', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 12 }), fc.string(), fc.string(), (seed, calls, old, fresh) => {
        const disk = new SimulatedDisk(() => false);
        writeDurably(path, old, disk);
        let answered = true;
        try {
          writeDurably(path, fresh, cutAfter(disk, calls));
        } catch {
          answered = false;
        }
        disk.cutPower(new SeededRandom(seed));
        expect(disk.read(path)).to.be.oneOf(answered ? [fresh] : [old, fresh]);
      }),
    );
  });

  it('leaves the old text where the disk is full', () => {
    let isFull = false;
    const disk = new SimulatedDisk(() => isFull);
    writeDurably(path, 'old', disk);
    isFull = true;
    expect(() => writeDurably(path, 'new', disk)).to.throw(/cannot write .*no space is left/);
    expect(disk.read(path)).to.equal('old');
  });
});

describe('the simulated disk', () => {
  it('loses what was not synced, and keeps what was', () => {
    const lost = Array.from({ length: 40 }, (_, seed) => {
      const disk = new SimulatedDisk(() => false);
      const file = disk.create(path);
      disk.write(file, 'whole');
      disk.sync(disk.openDirectory());
      disk.cutPower(new SeededRandom(seed));
      return disk.read(path);
    });
    expect(new Set(lost).size).to.be.greaterThan(1);
    expect(lost).to.include('');
  });
});
