/** What the kubelet asks a server: whether it lives, and whether it can do its part. */
import { createServer } from 'node:http';

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /healthz, which always says yes, and /readyz. Port 0: any free one. Rejects where the port is taken. */
export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number },
  isReady: () => boolean,
): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const path = request.url?.split('?')[0];
    const known = path === '/healthz' || path === '/readyz';
    const ok = path === '/healthz' || isReady();
    response.writeHead(known ? (ok ? 200 : 503) : 404, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(known ? (ok ? 'ok\n' : 'not ready\n') : 'not found\n');
  });
  server.maxConnections = 64;
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
