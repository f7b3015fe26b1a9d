/** Seeds that once broke an invariant, and what it was. Each stays pinned; the mutant, where there is one, puts the mistake back. */
import type { Application } from '../../../server/model/cluster.ts';

export interface Regression {
  readonly seed: number;
  /** Absent: Elasticsearch. */
  readonly application?: Application;
  readonly was: string;
  /** Its name in mutant-list.ts. */
  readonly mutant?: string;
}

export const regressions: readonly Regression[] = [
  {
    seed: 3,
    was: 'a server that had slept went on renewing the lease of a leader that another server had replaced: it never read the ledger again',
    mutant: 'lease renewed by an old ledger',
  },
  {
    seed: 4,
    was: 'a pilot whose disk was full ended with an uncaught error at the first term that it could not write down',
    mutant: 'full disk ends the pilot',
  },
  {
    seed: 5,
    was: 'a database that crashed between the permit and the SIGTERM was started again, and the late stop told its pilot that the new one had ended: it tried to start a second one for ever',
    mutant: 'stop of what has ended meanwhile',
  },
  {
    seed: 29,
    was: 'a server with an old ledger made a member again that another server had just removed',
    mutant: 'removed member made again by an old ledger',
  },
  {
    seed: 91,
    was: 'a server with an old ledger made a member of a cluster that had been deleted',
  },
  {
    seed: 10575,
    was: 'voters that were starting joined during a pause, and the leader went on to ask for the quorum of before',
  },
  {
    seed: 10733,
    was: 'a server with an old ledger had the quorum raised while another one had permitted a voter to leave on the lower one',
    mutant: 'order given by an old ledger',
  },
  {
    seed: 20438,
    was: "a pilot that was stopped between the server's word and its own SIGTERM began, half a minute later, on what was no longer true",
    mutant: 'step begun on old evidence',
  },
  {
    seed: 30296,
    was: 'a member that leaves and one that rolls were both next, and the leadership was handed to and fro between them',
  },
  {
    seed: 30571,
    was: 'a member whose upgrade was permitted and not begun counted as one of the new version, so that versions did not seem mixed',
  },
  {
    seed: 30611,
    was: 'the answer to the write of a new leader was lost, and the server went on to renew the lease of the one before',
    mutant: 'lost answer taken for not written',
  },
  {
    seed: 100035,
    was: 'a member joined, was given a shard and crashed while its pilot was stopped; it was taken for one that had never joined, and left with the last copy',
    mutant: 'member that nobody saw joined holds nothing',
  },
  {
    seed: 100321,
    was: 'a replacement was decided on what the runtime held before the last one had ended: the new pilot was sent SIGTERM, with its database up',
    mutant: 'replaced again on what was seen before',
  },
  {
    seed: 100545,
    was: 'a leader that was to go handed over between a grant and its use, which needs a leader: for ever',
  },
  {
    seed: 928627010,
    was: 'a server that was stopped while it made a member went on after that member had been removed; the cluster was then forgotten, and the member was left over for ever',
    mutant: 'cluster forgotten with a member left over',
  },
  {
    seed: 928627180,
    was: 'a voter was restarted on evidence that had been read while two others were joined whose leaving had ended since: they counted as there once their permits no longer did',
    mutant: 'voter that has left counted by old evidence',
  },
  {
    seed: 928627224,
    was: 'a drain began between the grant of an upgrade and its end, and moved the last copy of a shard to the very member that was about to stop',
    mutant: 'drain begun while a member may go',
  },
  {
    seed: 710000659,
    was: 'an order to raise the quorum was under way when the one to lower it was told anew: what the leader had said of that one before was taken for its answer, and a voter left',
    mutant: 'order known by what it says alone',
  },
  {
    seed: 11,
    application: 'couchbase',
    was: 'a node of Couchbase was stopped after its graceful failover had failed, on what had been true a quarter of a minute before: another one had crashed',
    mutant: 'couchbase: stop on a hand-over that failed',
  },
  {
    seed: 16,
    application: 'couchbase',
    was: 'a member that had been added to Couchbase and was never active left while nobody led, and the cluster was left with a dead node',
    mutant: 'couchbase: added member leaves unheard',
  },
  {
    seed: 43,
    application: 'couchbase',
    was: "a member left while the leader was adding it: every rebalance waited for ever for a node that was nobody's",
    mutant: "couchbase: nobody's dead node stays",
  },
  {
    seed: 1044,
    application: 'couchbase',
    was: 'the node that ran a rebalance crashed in the middle of it: the database called itself balanced, with copies missing, and nothing was due',
    mutant: 'couchbase: interrupted rebalance is left',
  },
  {
    seed: 633033000,
    application: 'couchbase',
    was: 'a graceful failover failed, and after five minutes of waiting for the others the node was stopped all the same, with the last copy that answered',
    mutant: 'couchbase: stop that waited for too long',
  },
  {
    seed: 633032889,
    application: 'couchbase',
    was: 'a node was restarted on the majority that it saw itself, while the leader knew already that another one was down',
  },
  {
    seed: 700000066,
    application: 'couchbase',
    was: 'a leader that was to leave waited for one to lead in its stead, and all the others for their turn to be upgraded, after it',
    mutant: 'couchbase: leaving leader takes room of those that roll',
  },
  {
    seed: 700000554,
    application: 'couchbase',
    was: 'a node that had just been added was taken for one that had been thrown out, and was to be reset',
    mutant: 'couchbase: just added taken for thrown out',
  },
  {
    seed: 700001575,
    application: 'couchbase',
    was: 'a node was stopped for a SIGTERM while nobody led: the evidence counted another one that was on its way down',
    mutant: 'couchbase: nobody leads and nobody is away',
  },
  {
    seed: 18,
    application: 'couchbase',
    was: 'a cluster was made larger in the middle of an upgrade by swaps: its spare was asked for now, went on counting as one, and nobody could be swapped any more',
    mutant: 'couchbase: spare that is asked for is still one',
  },
  {
    seed: 710000867,
    application: 'couchbase',
    was: 'a node that was out waited for two others to leave, before it could come back in the new version, and their rebalance for it: ten minutes each time',
  },
  {
    seed: 28,
    application: 'couchbase',
    was: 'a leader was to be swapped together with another node: the rebalance waited for it to hand over, and it for the other one to go first',
    mutant: 'couchbase: leader is swapped beside another one',
  },
  {
    seed: 730002334,
    application: 'couchbase',
    was: 'a leader was stopped between its look and its rebalance: it went on in a term that was over, and threw out a node that had been failed over meanwhile',
  },
  {
    seed: 730005681,
    was: 'a pilot was stopped in its flush, between the use of its permit and its SIGTERM: it stopped its database half a minute later, when the others could not do without it',
    mutant: 'stop begun long after its permit was used',
  },
  {
    seed: 730007710,
    was: 'a server wrote down that a permit is used, slept, and told its pilot after another server had let the permit expire',
    mutant: 'told long after it was written',
  },
  {
    seed: 730009983,
    was: 'a write of the settings was late and came after the one that took an exclusion back: its member was gone by then, and nobody owned the name any more',
    mutant: 'exclusion that came back late belongs to nobody',
  },
  {
    seed: 730003255,
    application: 'couchbase',
    was: 'a node was permitted to leave while the leader was adding it: it became a part of the cluster that was gone for ever, and counted in its quorum',
    mutant: 'couchbase: node leaves while it is being added',
  },
  {
    seed: 730002545,
    application: 'couchbase',
    was: 'the simulated database added a node on the word of a majority that it had asked five seconds earlier, and that was cut off since',
  },
  {
    seed: 880000457,
    application: 'couchbase',
    was: 'a permit to leave, used, stood for ever where its pilot had slept over the answer: the node ran on, of no cluster, and nobody added it again',
    mutant: 'couchbase: permit of a node that is out is never over',
  },
  {
    seed: 910001787,
    application: 'couchbase',
    was: 'a permit to leave that was asked for long before it was done was forgotten in the very pass in which it ended, as the oldest of the ended ones: its member never counted as gone',
    mutant: 'couchbase: permit forgotten as soon as it ends',
  },
  {
    seed: 910001998,
    application: 'couchbase',
    was: 'the same of a node that lost its power before it heard of its permit: until it is part of a cluster it is starting',
    mutant: 'couchbase: permit of a node that is out is never over',
  },
  {
    seed: 910001887,
    application: 'couchbase',
    was: 'a simulated node that came back without its disk sent empty copies to a rebalance that should have failed with it',
  },
];
