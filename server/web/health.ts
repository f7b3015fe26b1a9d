/** What a server says over plain HTTP: to the kubelet whether it lives and can do its part, to Prometheus what it counts. */
import { createServer, type ServerResponse } from 'node:http';
import { metricsType } from './metrics.ts';

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface HealthPages {
  readonly isReady: () => boolean;
  readonly metrics: () => string;
}

/** Serves /healthz, which always says yes, /readyz and /metrics. Port 0: any free one. Rejects where the port is taken. */
export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number },
  pages: HealthPages,
): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) =>
    answer(request.url?.split('?')[0], response, pages),
  );
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

function answer(path: string | undefined, response: ServerResponse, { isReady, metrics }: HealthPages): void {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8'): void =>
    void response.writeHead(status, { 'content-type': type }).end(text);
  switch (path) {
    case '/healthz':
      return say(200, 'ok\n');
    case '/readyz':
      return isReady() ? say(200, 'ok\n') : say(503, 'not ready\n');
    case '/metrics':
      return say(200, metrics(), metricsType);
    default:
      return say(404, 'not found\n');
  }
}
