/**
 * The certificate of a node, as the vendor documents it: the files are put into the node's inbox, and the node is told to load
 * them. That is asked for over plain HTTP to the node's own address: before it is done, nobody could verify the node.
 */
import { connect } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { exists, ownedDirectory, writeWhole } from '../files.ts';
import type { Rest } from './rest.ts';

const securePort = 18091;
const callLimitMs = 30_000;
const lookLimitMs = 5_000;

export interface PapersPlace {
  readonly address: string;
  readonly distribution: string;
  readonly directory: string;
  readonly caFile: string;
  /** With `chain.pem` and `pkey.key`. */
  readonly certificateDirectory: string;
  readonly uid?: number;
}

/** Has the node show the certificate that lies in the directory. Does nothing where it does so already. */
export class Papers {
  readonly #place: PapersPlace;
  readonly #plain: Rest;
  readonly #clock: Clock;
  #shown = '';

  /** `plain` speaks HTTP. */
  constructor(place: PapersPlace, plain: Rest, clock: Clock) {
    this.#place = place;
    this.#plain = plain;
    this.#clock = clock;
  }

  async bring(): Promise<void> {
    const { certificateDirectory, caFile, address, uid } = this.#place;
    const chain = await readFile(join(certificateDirectory, 'chain.pem'), 'utf8');
    const { fingerprint256 } = new X509Certificate(chain);
    if (this.#shown === fingerprint256) return;
    if ((await shownBy(address, this.#clock)) !== fingerprint256) {
      const inbox = await this.#inbox();
      await ownedDirectory(join(inbox, 'CA'), uid);
      await writeWhole(join(inbox, 'CA/navigator.pem'), await readFile(caFile, 'utf8'), uid);
      await writeWhole(join(inbox, 'pkey.key'), await readFile(join(certificateDirectory, 'pkey.key'), 'utf8'), uid);
      await writeWhole(join(inbox, 'chain.pem'), chain, uid);
      const post = (path: string) => this.#plain.call({ method: 'POST', path, limitMs: callLimitMs });
      await post('/node/controller/loadTrustedCAs');
      await post('/node/controller/reloadCertificate');
    }
    this.#shown = fingerprint256;
  }

  /** That of an installation, where there is one; else beside the data. */
  async #inbox(): Promise<string> {
    const { distribution, directory, uid } = this.#place;
    const installed = join(distribution, 'var/lib/couchbase');
    const inbox = join((await exists(installed)) ? installed : join(directory, 'data'), 'inbox');
    await mkdir(inbox, { recursive: true });
    await ownedDirectory(inbox, uid);
    return inbox;
  }
}

/** The fingerprint of what a node shows now. Rejects with `unavailable` where it shows nothing. */
function shownBy(host: string, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: securePort, rejectUnauthorized: false });
    const timer = clock.after(lookLimitMs, () =>
      socket.destroy(new NavigatorError('timeout', `${host} shows no certificate`)),
    );
    socket.once('secureConnect', () => {
      timer.cancel();
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      resolve(fingerprint256);
    });
    socket.once('error', (error) => {
      timer.cancel();
      reject(NavigatorError.from(error));
    });
  });
}
