/** What another release of Navigator does to the databases that are there: nothing. */
import { expect } from 'chai';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { small, Stage, type Thing } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

describe('a server of another release', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.open(kubernetes())));
  afterEach(() => stage.close());

  const path = (plural: string, name = ''): string => `/api/v1/namespaces/${stage.namespace}/${plural}/${name}`;
  const installerOf = ({ initContainers }: Thing): string =>
    initContainers.find(({ name }: Thing) => name === 'pilot').image;

  const lives = (): readonly number[] =>
    [...stage.worlds.values()].flatMap(({ database }) => [...database.nodes.values()].map(({ life }) => life));

  async function pods(): Promise<readonly Thing[]> {
    const { items } = await stage.must('GET', path('pods'));
    return (items as Thing[]).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  it('rolls no pod, and a pod that is made for another reason has its pilot', async () => {
    const first = await stage.active();
    await stage.apply('demo', small(3));
    await stage.ready('demo');
    const before = (await pods()).map(({ metadata }) => metadata.uid as string);
    const starts = lives();
    await stage.end(first);

    await stage.active(undefined, 'navigator-pilot:next');
    const set = `/apis/apps/v1/namespaces/${stage.namespace}/statefulsets/demo-node`;
    await waitFor(async () => {
      const { spec } = await stage.get(set);
      return installerOf(spec.template.spec) === 'navigator-pilot:next' && spec.updateStrategy.type === 'OnDelete';
    }, 'the template to name the pilot of this release');
    const { status } = await stage.ready('demo');
    expect(status.inProgress ?? []).to.deep.equal([]);
    const after = await pods();
    expect(after.map(({ metadata }) => metadata.uid)).to.deep.equal(before);
    expect(after.map(({ spec }) => installerOf(spec))).to.deep.equal(Array(3).fill('navigator-pilot:test'));
    expect(lives()).to.deep.equal(starts);

    await stage.deletePod('demo-node-2');
    await waitFor(async () => {
      const pod = await stage.get(path('pods', 'demo-node-2'));
      return pod !== undefined && pod.metadata.uid !== before[2] && installerOf(pod.spec) === 'navigator-pilot:next';
    }, 'the pod to be made of the new template');
    await stage.ready('demo');
  });
});
