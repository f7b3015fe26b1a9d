/** Ports of this machine for what is started by a test. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what the kernel gives to those that ask for any port: nobody takes one between the look and the use by chance. */
const first = 20_000;
const count = 10_000;
const triesMax = 200;

/** Two suites that run side by side begin at different places. */
let next = (process.pid * 131) % count;

/** A port of 127.0.0.1 that is free, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < triesMax; attempt++) {
    const port = first + next;
    next = (next + 1) % count;
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    await once(server.close(), 'close');
    return port;
  }
  throw new Error(`none of ${triesMax} ports from ${first} on is free`);
}
