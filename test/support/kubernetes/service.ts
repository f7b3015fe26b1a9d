/** What stands for the Service of the servers, where there is no kube-proxy: it leads to the one whose pod has the label. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Papers } from '../../../pilot/session.ts';
import * as accounts from './accounts.ts';
import type { Call } from './call.ts';

export interface Service {
  /** What pilots and people dial. */
  readonly target: string;
  /** The port of each server, by the name of its pod. */
  readonly ports: Map<string, number>;
  close(): Promise<void>;
}

/** Opens the Service of the servers in `namespace`. */
export async function openService(call: Call, namespace: string): Promise<Service> {
  const ports = new Map<string, number>();
  const sockets = new Set<Socket>();
  const pods = `/api/v1/namespaces/${namespace}/pods?labelSelector=navigator.jetstack.io/active%3Dtrue`;
  const activePort = async (): Promise<number | undefined> => {
    const { items } = (await call('GET', pods)).body as { items: readonly { metadata: { name: string } }[] };
    return items.flatMap(({ metadata }) => ports.get(metadata.name) ?? [])[0];
  };
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const join = (near: Socket, port: number | undefined): void => {
    if (port === undefined || near.destroyed) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    keep(far);
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.pipe(far).pipe(near);
  };
  const server = createServer({ pauseOnConnect: true }, (near) => {
    keep(near);
    activePort().then(
      (port) => join(near, port),
      () => near.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    target: `localhost:${(server.address() as AddressInfo).port}`,
    ports,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}

/** What the kubelet puts into a pod: its own token, and the CA of the server. Rejects while there is no CA. */
export async function podPapers(call: Call, pod: accounts.PodOf, account: string): Promise<Papers> {
  const { namespace } = pod;
  const { status, body } = await call('GET', `/api/v1/namespaces/${namespace}/configmaps/navigator-ca`);
  if (status !== 200) throw new Error(`no CA in ${namespace}: ${JSON.stringify(body)}`);
  const ca = Buffer.from(body.data['ca.crt'] as string);
  const token = await accounts.tokenOf(call, { namespace, name: account }, { audience: 'navigator', pod });
  return { token: () => token, ca: () => ca };
}
