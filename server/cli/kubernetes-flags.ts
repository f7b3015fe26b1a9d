/** The flags of a server on Kubernetes. Each can come from the environment, as a Deployment gives it. */
import { Option, type Command } from 'commander';
import { NavigatorError } from '../../shared/errors.ts';
import { navigatorVersion } from '../../shared/version.ts';
import type { Env } from './places.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KubernetesFlags {
  readonly namespace: string;
  readonly podName: string;
  readonly listen: Address;
  readonly http: Address;
  readonly pilotImage: string;
  readonly serviceName: string;
  readonly kubeconfig?: string;
}

const names = ['kubernetes', 'namespace', 'pod-name', 'listen', 'http', 'pilot-image', 'service-name', 'kubeconfig'];
type Name = (typeof names)[number];

const descriptions: Readonly<Record<Name, string>> = {
  kubernetes: 'run on Kubernetes: clusters are custom resources, members are pods',
  namespace: 'its own namespace (POD_NAMESPACE)',
  'pod-name': 'its own pod (POD_NAME)',
  listen: 'where pilots and people reach it (0.0.0.0:8443)',
  http: 'where /healthz, /readyz and /metrics are served (0.0.0.0:8080)',
  'pilot-image': "the pilot's image of clusters that name none",
  'service-name': 'the Service that pilots dial (navigator)',
  kubeconfig: 'how to reach the Kubernetes API; absent: as the pod that it runs in',
};

/** Adds them to a command. */
export function addKubernetesFlags(command: Command): Command {
  for (const name of names) {
    const value = name === 'kubernetes' ? '' : ` <${name === 'kubeconfig' ? 'file' : 'value'}>`;
    command.addOption(new Option(`--${name}${value}`, `${descriptions[name] ?? ''} (${variable(name)})`));
  }
  return command;
}

/** What was asked for by flags, else by the environment; undefined: it does not run on Kubernetes. */
export function kubernetesFlags(command: Command, env: Env): KubernetesFlags | undefined {
  const given = command.opts<Record<string, string | boolean | undefined>>();
  const chosen = (name: Name, ...fallbacks: (string | undefined)[]): string => {
    const flag = given[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    return (
      [flag, env[variable(name)], ...fallbacks].find((one): one is string => typeof one === 'string' && one !== '') ??
      ''
    );
  };
  const asked = given['kubernetes'] === true || ['1', 'true'].includes(env[variable('kubernetes')] ?? '');
  if (!asked) return undefined;
  const needed = (name: Name, value: string): string => {
    if (value !== '') return value;
    throw new NavigatorError('invalid', `--${name} is missing: ${descriptions[name] ?? ''}`);
  };
  const kubeconfig = chosen('kubeconfig');
  return {
    namespace: needed('namespace', chosen('namespace', env['POD_NAMESPACE'])),
    podName: needed('pod-name', chosen('pod-name', env['POD_NAME'])),
    listen: addressOf('listen', chosen('listen', '0.0.0.0:8443')),
    http: addressOf('http', chosen('http', '0.0.0.0:8080')),
    pilotImage: chosen('pilot-image', `navigator-pilot:${navigatorVersion()}`),
    serviceName: chosen('service-name', 'navigator'),
    ...(kubeconfig !== '' && { kubeconfig }),
  };
}

function variable(name: Name): string {
  return `NAVIGATOR_${name.replaceAll('-', '_').toUpperCase()}`;
}

function addressOf(flag: string, text: string): Address {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new NavigatorError('invalid', `--${flag} must be host:port, such as 0.0.0.0:8443, and is "${text}"`);
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
