/** A named reason not to act. Every name stands in docs/holds.md; a test holds that. */

export const holdNames = [
  'cluster_is_paused',
  'member_is_wanted',
  'evidence_is_unknown',
  'evidence_is_of_another_life',
  'data_node_still_has_shards',
  'drain_is_not_in_force',
  'last_copy_of_a_shard',
  'step_is_not_known',
  'health_is_red',
  'health_is_yellow',
  'shards_are_moving',
  'other_copies_may_go',
  'quorum_would_be_lost',
  'budget_is_spent',
  'allocation_is_not_restricted',
  'quorum_setting_is_not_lowered',
  'no_leader',
  'not_its_turn',
  'member_is_down',
  'denied_by_a_person',
  'leader_must_hand_over',
  'journal_cannot_be_written',
  'node_is_in_the_topology',
  'node_is_stale',
  'last_data_node',
  'last_copy_of_a_vbucket',
  'failover_would_lose_vbuckets',
  'rebalance_is_running',
  'rebalance_has_failed',
  'rebalance_waits_for_a_node',
  'quorum_is_lost',
  'node_is_lost',
  'bucket_would_go',
  'bucket_would_shrink',
] as const;

export type HoldName = (typeof holdNames)[number];

export interface Hold {
  readonly name: HoldName;
  /** The member that holds it up; empty for the whole cluster. */
  readonly member: string;
  /** One sentence for a tired operator. */
  readonly message: string;
}
