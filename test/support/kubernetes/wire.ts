/** A wire to an API server that counts connections, and can be cut between a request and its answer. */
import { KubeConfig } from '@kubernetes/client-node';
import { once } from 'node:events';
import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net';
import type { ApiServer } from './apiserver.ts';

export interface Wire {
  readonly config: KubeConfig;
  connections(): number;
  /** From now on requests arrive and answers do not: the next one that comes cuts its connection. */
  loseAnswers(lose: boolean): void;
  close(): Promise<void>;
}

/** Opens a wire to `api`. */
export async function openWire(api: ApiServer): Promise<Wire> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let losing = false;
  const server = createServer((near) => {
    connections += 1;
    const far = dial(Number(new URL(api.url).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    near.on('data', (bytes) => far.write(bytes)).on('close', () => far.destroy());
    far.on('data', (bytes) => (losing ? near.destroy() : near.write(bytes))).on('close', () => near.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const config = new KubeConfig();
  const [cluster, user] = [api.config().getCurrentCluster(), api.config().getCurrentUser()];
  if (cluster === null || user === null) throw new Error('no cluster in the config');
  config.loadFromClusterAndUser({ ...cluster, server: `https://127.0.0.1:${port}` }, user);
  return {
    config,
    connections: () => connections,
    loseAnswers: (lose) => (losing = lose),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}
