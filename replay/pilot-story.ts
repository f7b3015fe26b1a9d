/** What pilots add to the story: what they asked on which evidence, when they began, and how it ended for the process. */
import type { Moment } from './recollect.ts';
import { tell, type Act, type Story } from './story.ts';
import { noteEvidence, word } from './words.ts';

interface Asked {
  readonly at: number;
  readonly id: string;
  readonly verb: Act['act'];
  readonly words: string;
}

type Note = Extract<Moment, { kind: 'note' }>;
type StepMoment = Extract<Moment, { kind: 'step' }>;

export class PilotStory {
  readonly #story: Story;
  /** By cluster and member: what was last asked, and the act whose end of the process is waited for. */
  readonly #asked = new Map<string, Asked>();
  readonly #stopping = new Map<string, Act>();

  constructor(story: Story) {
    this.#story = story;
  }

  take(moment: Moment): void {
    if (moment.kind === 'step') this.#step(moment);
    if (moment.kind === 'note') this.#note(moment);
  }

  #note({ what, body, record: { at } }: Note): void {
    const key = `${body.cluster} ${body.member}`;
    switch (what) {
      case 'asked': {
        const words = `${word(body['reason'])}; ${noteEvidence(body.evidence)}`;
        this.#asked.set(key, { at, id: word(body['id']), verb: body['verb'] as Act['act'], words });
        return;
      }
      case 'heard': {
        const act = this.#actOf(body, key);
        if (body['state'] === 'granted' && act !== undefined)
          tell(act, at, 'pilot', `has heard of the grant, which it asked for on ${noteEvidence(body.evidence)}`);
        return;
      }
      case 'use': {
        const act = this.#story.ofPermit(body.cluster, word(body['permitId']));
        if (act !== undefined) tell(act, at, 'pilot', `asks to use it, on ${noteEvidence(body.evidence)}`);
        return;
      }
      case 'exited': {
        const act = this.#stopping.get(key);
        this.#stopping.delete(key);
        if (act !== undefined) tell(act, at, 'pilot', `its database has ended with ${word(body['how'])}`);
        return;
      }
      case 'order': {
        if (body['obeyed'] === true) return;
        const act = this.#story.begin({ at, cluster: body.cluster, member: body.member, act: 'order' });
        tell(act, at, 'refused', `the pilot does not obey an order of term ${word(body['term'])}`);
        return;
      }
    }
  }

  /** Where the server's journal is not at hand, the pilot's own words begin the act. */
  #actOf(body: Note['body'], key: string): Act | undefined {
    const permit = word(body['permitId']);
    const known = this.#story.ofPermit(body.cluster, permit);
    const asked = this.#asked.get(key);
    if (known !== undefined || asked?.id !== body['requestId'] || asked === undefined) return known;
    const { cluster, member } = body;
    const act = this.#story.begin({ at: asked.at, cluster, member, act: asked.verb, permit });
    tell(act, asked.at, 'asked', asked.words);
    return act;
  }

  #step({ body, event, before, after, effects, record: { at } }: StepMoment): void {
    const wipes = effects.some(({ kind }) => kind === 'wipe');
    if (!wipes && !effects.some(({ kind }) => kind === 'stop')) return;
    const { cluster, member } = body;
    const permit = event.kind === 'use_answer' ? event.permitId : undefined;
    const known = permit === undefined ? undefined : this.#story.ofPermit(cluster, permit);
    const verb = after.grant?.verb ?? before.grant?.verb ?? 'stop';
    const words = { at, cluster, member, act: verb, ...(permit !== undefined && { permit }) };
    const act = known ?? this.#story.begin(words);
    if (wipes) return tell(act, at, 'pilot', 'resets its node: what that holds goes');
    const why = permit === undefined ? ' without a permit: the grace period of a SIGTERM is over' : '';
    tell(act, at, 'pilot', `stops its database${why}`);
    this.#stopping.set(`${cluster} ${member}`, act);
  }
}
