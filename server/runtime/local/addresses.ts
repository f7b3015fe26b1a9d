/** A loopback address for each member, kept in a file: the same answer every time, and nobody else's ports. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { writeDurably } from '../../../shared/durable.ts';
import { NavigatorError } from '../../../shared/errors.ts';

/** The ports that a member's database takes on its address. */
const ports = [9200, 9300, 8091, 18091] as const;
const membersMax = 254;

export class AddressBook {
  readonly #file: string;
  readonly #net: string;
  #taken: Record<string, string>;

  /** `file` is made when the first address is given. Where two state directories share a net, busy addresses are passed over. */
  constructor(file: string) {
    this.#file = file;
    const hash = createHash('sha256').update(file).digest();
    this.#net = `127.${64 + ((hash[0] ?? 0) % 128)}.${hash[1] ?? 0}`;
    this.#taken = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  }

  /** The address of a member; a new member gets one whose ports are free. */
  async of(member: string): Promise<string> {
    const known = this.#taken[member];
    if (known !== undefined) return known;
    const used = new Set(Object.values(this.#taken));
    for (let host = 1; host <= membersMax; host++) {
      const address = `${this.#net}.${host}`;
      if (used.has(address) || !(await isFree(address))) continue;
      this.#keep({ ...this.#taken, [member]: address });
      return address;
    }
    throw new NavigatorError('exhausted', `all ${membersMax} loopback addresses of this state directory are taken`);
  }

  /** Gives a member's address back. */
  forget(member: string): void {
    const { [member]: _address, ...rest } = this.#taken;
    this.#keep(rest);
  }

  #keep(taken: Record<string, string>): void {
    writeDurably(this.#file, JSON.stringify(taken, undefined, 2));
    this.#taken = taken;
  }
}

async function isFree(address: string): Promise<boolean> {
  for (const port of ports) if (!(await canListen(address, port))) return false;
  return true;
}

function canListen(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: address, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
