/** People reach the server from a pod, with their own token of Kubernetes, and may do what RBAC says of the cluster. */
import { must, type Check } from './check.ts';
import { exec, find, kubectl, withManifest } from './kubectl.ts';

const program = process.env['NAVIGATOR_E2E_GRPCURL'];
const pod = 'visitor';
const server = 'navigator.navigator-system.svc:8443';
const image = 'docker.elastic.co/elasticsearch/elasticsearch:6.8.23';

function account(name: string): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } };
}

function visitors(): object {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name: 'reader', namespace: 'default' };
  const rules = [{ apiGroups: ['navigator.jetstack.io'], resources: ['elasticsearchclusters'], verbs: ['get'] }];
  const subjects = [{ kind: 'ServiceAccount', ...metadata }];
  const roleRef = { apiGroup: rbac, kind: 'Role', name: 'reader' };
  const containers = [
    {
      name: 'shell',
      image,
      command: ['sleep', '3600'],
      volumeMounts: [{ name: 'ca', mountPath: '/ca', readOnly: true }],
    },
  ];
  const volumes = [{ name: 'ca', configMap: { name: 'navigator-ca' } }];
  const labels = { 'navigator.jetstack.io/client': 'true' };
  const spec = { containers, volumes, automountServiceAccountToken: false, terminationGracePeriodSeconds: 0 };
  const items = [
    account('reader'),
    account('stranger'),
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules },
    { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace: 'default', labels }, spec },
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}

/** What grpcurl says in the pod, whether or not the call is answered. */
async function call(token: string, method: string): Promise<string> {
  const fields = JSON.stringify({ namespace: 'default', cluster: 'demo' });
  const authority = '-cacert /ca/ca.crt -authority navigator.navigator-system.svc';
  const header = token === '' ? '' : `-H 'authorization: Bearer ${token}'`;
  const line = `/tmp/grpcurl ${authority} ${header} -d '${fields}' ${server} navigator.v1.NavigatorService/${method}`;
  return await exec(pod, `${line} 2>&1 || true`);
}

async function tokenOf(name: string, ...more: readonly string[]): Promise<string> {
  return (await kubectl('create', 'token', name, ...more)).trim();
}

export const people: readonly Check[] = [
  {
    name: 'grpcurl from a pod: who may read is answered, and everybody else refused',
    skip: program === undefined ? 'there is no grpcurl' : undefined,
    run: async () => {
      await withManifest(visitors(), 'apply');
      try {
        await kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=3m');
        await kubectl('cp', program ?? '', `${pod}:/tmp/grpcurl`);
        const reader = await tokenOf('reader');
        const answered = await call(reader, 'Why');
        must(!/Code:|Failed|rror/.test(answered), `a reader asks why: ${answered}`);
        const expected: readonly (readonly [string, string, string, string])[] = [
          ['a reader pauses', reader, 'Pause', 'PermissionDenied'],
          ['a stranger asks why', await tokenOf('stranger'), 'Why', 'PermissionDenied'],
          ['a token for pilots asks why', await tokenOf('reader', '--audience=navigator'), 'Why', 'Unauthenticated'],
          ['nonsense asks why', 'nonsense', 'Why', 'Unauthenticated'],
          ['nobody asks why', '', 'Why', 'Unauthenticated'],
        ];
        for (const [what, token, method, code] of expected) {
          const text = await call(token, method);
          must(text.includes(`Code: ${code}`), `${what}: ${text}`);
        }
        must((await find('elasticsearchcluster', 'demo'))?.['spec'].paused !== true, 'the cluster is paused');
        return '1 answered, 5 refused';
      } finally {
        await kubectl('delete', 'pod', pod, '--wait=false', '--ignore-not-found');
      }
    },
  },
];
