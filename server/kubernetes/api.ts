/**
 * Calls to the Kubernetes API: each with a deadline, over connections that are used again, and with every failure as a
 * NavigatorError. It tries nothing twice: whoever calls knows whether that is right.
 */
import {
  createConfiguration,
  CustomObjectsApi,
  Observable,
  PatchStrategy,
  RequestContext,
  ResponseContext,
  ServerConfiguration,
  setHeaderOptions,
  type HttpLibrary,
  type KubeConfig,
  type SecurityAuthentication,
} from '@kubernetes/client-node';
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { answerError, networkError } from './failure.ts';

/** How long any call may take, its answer read to the end. */
const callWithinMs = 10_000;

/** What one server needs of the API. Objects are plain JSON: no date is read, and none loses its digits. */
export interface KubernetesApi {
  readonly objects: CustomObjectsApi;
  /** One call to any path, answered with the JSON that comes. */
  call(request: ApiCall): Promise<unknown>;
  close(): Promise<void>;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body. Absent: plain JSON. */
  readonly contentType?: string;
}

/** For a patch: null removes, what is not named stays; a resourceVersion in it makes it a compare-and-swap. */
export const asMergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** Access as `config` says. Nothing is called yet. */
export function connect(config: KubeConfig, clock: Clock, deadlineMs = callWithinMs): KubernetesApi {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new NavigatorError('invalid', 'the kubeconfig names no cluster in its current context');
  const access = new Access(config);
  const http = new BoundedHttp(createConfiguration().httpApi, clock, { server: cluster.server, deadlineMs });
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(cluster.server, {}),
    authMethods: { default: access },
    httpApi: http,
  });
  return {
    objects: new CustomObjectsApi(configuration),
    call: async ({ method, path, query, body, contentType = 'application/json' }) => {
      const request = new RequestContext(cluster.server + path, method);
      for (const [name, value] of Object.entries(query ?? {})) request.setQueryParam(name, value);
      request.setHeaderParam('Accept', 'application/json');
      if (body !== undefined) {
        request.setHeaderParam('Content-Type', contentType);
        request.setBody(JSON.stringify(body));
      }
      await access.applySecurityAuthentication(request);
      const answer = await http.send(request).toPromise();
      return JSON.parse(await answer.body.text()) as unknown;
    },
    close: () => access.close(),
  };
}

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/**
 * The kubeconfig's credentials. The client makes a pool of connections for every single request, so that each would begin
 * with a TLS handshake: here the first pool is kept for as long as the certificates are the same.
 */
class Access implements SecurityAuthentication {
  readonly #config: KubeConfig;
  #pool: { readonly certificates: string; readonly dispatcher: Dispatcher } | undefined;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  getName(): string {
    return 'kubeconfig';
  }

  async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await this.#config.applySecurityAuthentication(context);
    const fresh = context.getDispatcher();
    if (fresh === undefined) return;
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const certificates = createHash('sha256').update(JSON.stringify([options.ca, options.cert, options.key]));
    const digest = certificates.digest('hex');
    if (this.#pool?.certificates !== digest) {
      // Calls that are under way end on the old one.
      void this.#pool?.dispatcher.close();
      this.#pool = { certificates: digest, dispatcher: fresh };
    }
    context.setDispatcher(this.#pool.dispatcher);
  }

  async close(): Promise<void> {
    await this.#pool?.dispatcher.destroy();
    this.#pool = undefined;
  }
}

/** Sends, and reads the whole answer, within the deadline. An answer that is no success is thrown. */
class BoundedHttp implements HttpLibrary {
  readonly #below: HttpLibrary;
  readonly #clock: Clock;
  readonly #bounds: { readonly server: string; readonly deadlineMs: number };

  constructor(below: HttpLibrary, clock: Clock, bounds: { readonly server: string; readonly deadlineMs: number }) {
    this.#below = below;
    this.#clock = clock;
    this.#bounds = bounds;
  }

  send(request: RequestContext): Observable<ResponseContext> {
    return new Observable(this.#answer(request));
  }

  async #answer(request: RequestContext): Promise<ResponseContext> {
    const { server, deadlineMs } = this.#bounds;
    const abort = new AbortController();
    const late = new Error(`has not answered within ${deadlineMs} ms`);
    const timer = this.#clock.after(deadlineMs, () => abort.abort(late));
    request.setSignal(abort.signal);
    let status: number;
    let headers: Record<string, string>;
    let text: string;
    try {
      const answer = await this.#below.send(request).toPromise();
      text = await answer.body.text();
      ({ httpStatusCode: status, headers } = answer);
    } catch (error) {
      throw networkError(server, abort.signal.aborted ? late : error);
    } finally {
      timer.cancel();
    }
    if (status < 200 || status > 299) throw answerError(server, status, text);
    const body = { text: async () => text, binary: async () => Buffer.from(text), stream: () => undefined };
    return new ResponseContext(status, headers, body as unknown as ResponseContext['body']);
  }
}
