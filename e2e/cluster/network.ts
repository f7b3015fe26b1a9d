/**
 * The network of the cluster: one namespace without a route out. The node's address is that of a bridge without ports;
 * pods hang on another bridge, which the CNI plugin makes.
 */
import { existsSync } from 'node:fs';
import { attempt, command } from './command.ts';
import { addresses, type Places } from './places.ts';

/** Makes the namespace with everything in it. */
export async function makeNetwork(places: Places): Promise<void> {
  const { name } = places;
  await command('ip', ['netns', 'add', name]);
  const inside = (program: string, ...args: string[]): Promise<string> =>
    command('nsenter', [`--net=${places.networkNamespace}`, program, ...args]);
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('ip', 'link', 'add', 'node0', 'type', 'bridge');
  await inside('ip', 'address', 'add', `${addresses.node}/32`, 'dev', 'node0');
  await inside('ip', 'link', 'set', 'node0', 'up');
  // Without a route the kernel would refuse a Service's address before kube-proxy's rules see the packet.
  await inside('ip', 'route', 'add', addresses.services, 'dev', 'node0', 'src', addresses.node);
  await inside('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
  // Two pods on one bridge reach each other by a Service's address only where the bridge asks iptables.
  await inside('sysctl', '-q', '-w', 'net.bridge.bridge-nf-call-iptables=1').catch(() => undefined);
}

/** Removes the namespace where it is there; what was in it goes with it. */
export async function removeNetwork(places: Places): Promise<void> {
  if (existsSync(places.networkNamespace)) await attempt('ip', ['netns', 'delete', places.name]);
}

/** What the CNI plugins read. `state` is where addresses that are given out are kept. */
export function cniConfig(state: string): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: state,
          ranges: [[{ subnet: addresses.pods }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}
