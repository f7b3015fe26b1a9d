/** What Elasticsearch is told of its network: on one machine, and in a pod. */
import { expect } from 'chai';
import { parse } from 'yaml';
import { elasticsearchYml, jvmOptions } from '../../pilot/engine/elasticsearch/config.ts';
import type { Place } from '../../pilot/engine/engine.ts';
import type { MemberSpec } from '../../pilot/model.ts';

const place: Place = {
  ...{ member: 'demo-node-0', cluster: 'demo', address: 'demo-node-0.demo-node.default.svc' },
  ...{ httpPort: 9200, transportPort: 9300, distribution: '/d', directory: '/v', javaHome: '/j' },
};
const spec = {
  ...{ version: '5.6.16', roles: ['master', 'data'], heapBytes: 128 * 2 ** 20, quorum: 1, seeds: [], plugins: [] },
  config: {},
} as unknown as MemberSpec;

function settings(at: Place, config: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return parse(elasticsearchYml({ ...spec, config }, at)) as Record<string, unknown>;
}

describe('the network of Elasticsearch', () => {
  it('is one address on one machine', () => {
    const told = settings(place);
    expect(told).to.include({ 'network.host': place.address });
    expect(told).to.not.have.any.keys('network.bind_host', 'network.publish_host', 'transport.tcp.connect_timeout');
    expect(jvmOptions(spec, place)).to.include('-XX:+UseSerialGC');
  });
  it('is every address in a pod, of which peers are told one, and a pod that is gone is not waited for', () => {
    const told = settings({ ...place, bind: '0.0.0.0', publish: '10.0.0.7' });
    expect(told).to.include({ 'network.bind_host': '0.0.0.0', 'network.publish_host': '10.0.0.7' });
    expect(told).to.include({ 'transport.tcp.connect_timeout': '3s' });
    expect(told).to.not.have.property('network.host');
  });
  it('has a collector in a pod that passes the bootstrap checks of an address that others reach', () => {
    const options = jvmOptions(spec, { ...place, bind: '0.0.0.0' });
    expect(options).to.include('-XX:+UseG1GC').and.to.not.include('UseSerialGC');
  });
  it('leaves the last word on connections to people', () => {
    const config = { 'transport.tcp.connect_timeout': '10s' };
    expect(settings({ ...place, bind: '0.0.0.0' }, config)).to.include(config);
  });
});
