/** The keys and certificates of the control plane, by openssl, which every Linux has. They live as long as the cluster. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import { addresses } from './places.ts';

export interface Certificates {
  readonly ca: string;
  readonly server: Pair;
  /** With which the API server calls the kubelet. */
  readonly kubeletClient: Pair;
  readonly serviceAccountKey: string;
  /** Of users, as `--token-auth-file` wants them. */
  readonly tokenFile: string;
  readonly tokens: Readonly<Record<string, string>>;
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
const days = '3';

/** Makes everything in `folder`. `users` are the names of users, each with its groups. */
export async function makeCertificates(
  folder: string,
  users: Readonly<Record<string, readonly string[]>>,
): Promise<Certificates> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const elliptic = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const caFiles = ['-keyout', path('ca.key'), '-out', path('ca.crt')];
  const caUse = ['-addext', 'keyUsage=critical,keyCertSign,digitalSignature'];
  await command('openssl', ['req', '-x509', '-days', days, ...elliptic, '-subj', '/CN=e2e-ca', ...caUse, ...caFiles]);
  const sign = async (name: string, subject: string, extensions: string): Promise<Pair> => {
    const files = { certificate: path(`${name}.crt`), key: path(`${name}.key`) };
    writeFileSync(path(`${name}.ext`), extensions);
    const request = ['-subj', subject, '-keyout', files.key, '-out', path(`${name}.csr`)];
    await command('openssl', ['req', '-new', ...elliptic, ...request]);
    const issuer = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', days];
    const output = ['-in', path(`${name}.csr`), '-extfile', path(`${name}.ext`), '-out', files.certificate];
    await command('openssl', ['x509', '-req', ...issuer, ...output]);
    return files;
  };
  const ips = ['127.0.0.1', addresses.node, addresses.kubernetesService];
  const alternatives = [...names.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${ip}`)].join(',');
  const server = await sign('server', '/CN=kube-apiserver', `subjectAltName=${alternatives}\n`);
  const client = '/O=system:masters/CN=kube-apiserver-kubelet-client';
  const kubeletClient = await sign('kubelet-client', client, 'extendedKeyUsage=clientAuth\n');
  await command('openssl', ['genrsa', '-out', path('service-account.key'), '2048']);
  const tokens = Object.fromEntries(Object.keys(users).map((user) => [user, randomBytes(16).toString('hex')]));
  const rows = Object.entries(users).map(([user, groups]) => `${tokens[user]},${user},${user},"${groups.join(',')}"`);
  writeFileSync(path('tokens.csv'), `${rows.join('\n')}\n`, { mode: 0o600 });
  const serviceAccountKey = path('service-account.key');
  return { ca: path('ca.crt'), server, kubeletClient, serviceAccountKey, tokenFile: path('tokens.csv'), tokens };
}
