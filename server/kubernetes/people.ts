/** People on Kubernetes: they come with their own token, and what they may do is what RBAC says of the cluster's resource. */
import type { Access, AccessScope, AccessVerb, Caller, Refusal } from '../rpc/access.ts';
import type { KubernetesApi } from './api.ts';
import { reviewToken } from './token-review.ts';

const group = 'navigator.jetstack.io';

/** Asks the API server, every time. */
export class KubernetesPeople implements Access {
  readonly #api: KubernetesApi;

  constructor(api: KubernetesApi) {
    this.#api = api;
  }

  callerOf(token: string): Promise<Caller | Refusal> {
    return reviewToken(this.#api, token);
  }

  async may(caller: Caller, verb: AccessVerb, scope: AccessScope): Promise<boolean> {
    const { who: user, groups, uid, extra } = caller;
    // Nobody is not everybody.
    if (user === undefined || user === '') return false;
    const { application, namespace, name } = scope;
    const resourceAttributes = { group, resource: `${application}clusters`, verb, namespace, name };
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, uid, extra, resourceAttributes },
    };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const { status } = (await this.#api.call({ method: 'POST', path, body })) as {
      readonly status?: { readonly allowed?: boolean };
    };
    return status?.allowed === true;
  }
}
