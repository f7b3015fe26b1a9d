/** Mistakes that somebody could make, each as a change of text, and the invariants that must tell. */
import { couchbaseMutants } from './couchbase/mutant-list.ts';
import { mutant, patch, rareMutant, type Mutant } from './mutant.ts';

export const mutants: readonly Mutant[] = [
  ...couchbaseMutants,
  mutant(
    'permit without write-ahead',
    ['I6'],
    patch(
      'server/cluster-loop.ts',
      'if (next.ledger !== ledger && !(await this.#write(next.ledger))) continue;',
      `for (const action of next.actions) await this.#act(action);
      if (next.ledger !== ledger && !(await this.#write(next.ledger))) continue;`,
    ),
  ),
  mutant(
    'expiry counted from receipt',
    ['I5'],
    patch('pilot/pilot.ts', 'sentAtMs === undefined ? 0 : sentAtMs + decision.ttlMs', 'this.#now() + decision.ttlMs'),
    // Alone it would hardly matter: evidence that is older than five seconds is not acted upon in any case.
    patch(
      'pilot/supervisor/step.ts',
      'Math.min(grant.expiresAtMs, grant.sinceMs + evidenceMostMs)',
      'grant.expiresAtMs',
    ),
  ),
  mutant(
    'use not re-judged',
    ['I2', 'I3', 'I4'],
    patch(
      'server/reconcile/turns.ts',
      '  const holds = objections(asking);\n  return holds.length',
      '  const holds: Hold[] = [];\n  return holds.length',
    ),
  ),
  mutant(
    'budget forgets crashed nodes',
    ['I2'],
    patch(
      'server/reconcile/budget.ts',
      'if (!record.left && !isThere) away.add(record.name);',
      'if (!record.left && !isThere && isThere) away.add(record.name);',
    ),
  ),
  mutant('term not persisted', ['I1'], patch('pilot/pilot.ts', ' && this.#keeping.keep({ highestTerm: term })', '')),
  mutant(
    'exclusion overwritten instead of joined',
    ['I7'],
    patch('test/simulation/database.ts', '...foreign, ...settings.excluded', '...settings.excluded'),
  ),
  mutant(
    'lost lease stops the database',
    ['I5', 'I9'],
    patch(
      'pilot/pilot.ts',
      '  #heartbeat(): void {\n',
      `  #led = false;
  #heartbeat(): void {
    const leads = this.#leading.term(this.#now()) > 0;
    if (this.#led && !leads) void this.#stop();
    this.#led = leads;
`,
    ),
  ),
  mutant(
    'quorum over live voters',
    ['I4'],
    patch(
      'server/reconcile/quorum.ts',
      'const least = quorumOf(Math.max(1, known.length - leaving));',
      'const least = quorumOf(Math.max(1, live - leaving));',
    ),
  ),
  mutant(
    'undo forgotten',
    ['I7'],
    patch(
      'server/reconcile/settings.ts',
      "return about || isRollUnderWay(turns.ledger, observed, when) ? 'primaries' : 'all';",
      "return about || isRollUnderWay(turns.ledger, observed, when) ? 'primaries' : (observed.cluster?.allocation ?? 'all');",
    ),
  ),
  mutant(
    'order accepted with an old term',
    ['I1'],
    patch('pilot/observer.ts', 'order?.term === this.#leadingTerm()', 'true'),
  ),
  mutant(
    'leave granted on unknown shards',
    ['I3'],
    patch(
      'server/reconcile/holds.ts',
      "    verbs: ['leave', ...away],\n    objection: ({ evidence, record, member, verb, approved })",
      '    verbs: [...away],\n    objection: ({ evidence, record, member, verb, approved })',
    ),
  ),
  mutant(
    'rejoined node with 0 shards taken for drained',
    ['I3'],
    patch(
      'server/reconcile/holds.ts',
      "    name: 'health_is_red',\n    verbs: ['leave', ...away],",
      "    name: 'health_is_red',\n    verbs: [...away],",
    ),
  ),
  mutant(
    'leader leads on until told otherwise',
    ['I1'],
    patch(
      'pilot/leading.ts',
      'return nowMs < this.#untilMs ? this.#term : 0;',
      'return this.#untilMs > 0 && nowMs > 0 ? this.#term : 0;',
    ),
  ),
  mutant(
    'drained is not asked for',
    ['I3'],
    patch(
      'server/reconcile/holds.ts',
      '(evidence.shards ?? 0) > 0 ? `it still',
      '(evidence.shards ?? 0) > 1_000 ? `it still',
    ),
  ),
  mutant(
    'new server elects without waiting a lease',
    ['I1'],
    patch(
      'server/coordination/elections.ts',
      'return Math.max(observed.leaseRenewedAtMs + timing.leaseMs, grace);',
      'return Math.min(grace, observed.leaseRenewedAtMs + timing.leaseMs);',
    ),
  ),
  mutant(
    'full disk ends the pilot',
    ['I0'],
    patch('pilot/keeping.ts', '      return false;\n', '      throw thrown;\n'),
  ),
  mutant(
    'file renamed before it is flushed',
    ['I1'],
    patch(
      'shared/durable.ts',
      '      disk.write(file, text);\n      disk.sync(file);\n',
      '      disk.write(file, text);\n',
    ),
  ),
  mutant(
    'evidence not read again at use',
    ['I2', 'I3', 'I4'],
    patch(
      'pilot/pilot.ts',
      '  async #use(permitId: string): Promise<void> {\n    const evidence = await this.#observer.evidence();',
      '  async #use(permitId: string): Promise<void> {\n    const evidence = this.#asked.get(this.#askings)?.evidence;',
    ),
  ),
  rareMutant(
    'lease renewed by an old ledger',
    ['I1'],
    patch(
      'server/cluster-loop.ts',
      'return store.shared && this.#now().monotonicMs >= this.#confirmedAtMs + timing.leaseMs;',
      'return false;',
    ),
    // Else whoever has anything to say finds out.
    patch(
      'server/cluster-loop.ts',
      'if (!this.#ports.store.shared || !actions',
      'if (this.#ports.store.shared || !actions',
    ),
  ),
  mutant(
    'removed member made again by an old ledger',
    ['I3', 'I5', 'I8'],
    patch(
      'server/cluster-loop.ts',
      '        return !this.#touched.has(action.record.name);\n',
      '        return false;\n',
    ),
  ),
  rareMutant(
    'order given by an old ledger',
    ['I1', 'I4', 'I8'],
    patch('server/cluster-loop.ts', 'return !this.#isSaid(action.member, wordsOf(action));', 'return false;'),
    // Else nobody leaves on a quorum that another order may be about to change.
    patch(
      'server/reconcile/turns.ts',
      'if (one.holds.length > 0 || isNoMatter',
      'if (one.holds.length >= 0 || isNoMatter',
    ),
  ),
  rareMutant(
    'stop of what has ended meanwhile',
    ['I8'],
    patch(
      'pilot/pilot.ts',
      'was to be stopped.\n    if (this.#running !== running) return;',
      "was to be stopped.\n    if (this.#running !== running) return this.#take({ kind: 'exited', message: '', retryInMs: 0 });",
    ),
  ),
  rareMutant(
    'order known by what it says alone',
    ['I4', 'I8'],
    patch(
      'server/reconcile/settings.ts',
      'id: content === told.content ? told.id : digest({ content, after: told.id })',
      "id: content === told.content ? told.id : digest({ content, after: '' })",
    ),
  ),
  rareMutant(
    'lost answer taken for not written',
    ['I1'],
    patch('server/cluster-loop.ts', '    if (this.#writing !== undefined) return true;\n', ''),
    patch(
      'server/cluster-loop.ts',
      'const written = await this.#ports.store.compareAndSwap(this.key, before.revision, next);',
      'const written = await this.#ports.store.compareAndSwap(this.key, before.revision, next).finally(() => (this.#writing = undefined));',
    ),
  ),
  rareMutant(
    'step begun on old evidence',
    ['I3', 'I4'],
    patch(
      'pilot/supervisor/step.ts',
      'Math.min(grant.expiresAtMs, grant.sinceMs + evidenceMostMs)',
      'grant.expiresAtMs',
    ),
  ),
  rareMutant(
    'member that nobody saw joined holds nothing',
    ['I3'],
    patch(
      'server/reconcile/holds.ts',
      "evidence.nodeId === '' ? observed.cluster?.unassignedPrimaries : evidence.unassignedPrimaries",
      'observed.runtime.size === 0 ? 0 : evidence.unassignedPrimaries',
    ),
    patch('server/reconcile/plan.ts', ' || observed.cluster?.nodes.includes(record.name) === true', ''),
  ),
  rareMutant(
    'replaced again on what was seen before',
    ['I5'],
    patch(
      'server/cluster-loop.ts',
      '    if (this.#touched.has(name)) return;\n',
      '    if (this.#working.has(name)) return;\n',
    ),
    patch(
      'test/simulation/server-ports.ts',
      'if (host.places.get(record.name)?.version !== record.version) await',
      'await',
    ),
  ),
  rareMutant(
    'voter that has left counted by old evidence',
    ['I4'],
    patch(
      'server/reconcile/holds.ts',
      'return Math.min(evidence.liveVoters - 1 - stillThere.length, staying.length);',
      'return evidence.liveVoters - 1 - stillThere.length + 0 * staying.length;',
    ),
  ),
  rareMutant(
    'drain begun while a member may go',
    ['I3'],
    patch(
      'server/reconcile/settings.ts',
      'if (!isRollUnderWay(turns.ledger, observed, when)) return wanted;',
      'if (turns.ledger === turns.ledger) return wanted;',
    ),
    patch(
      'server/reconcile/turns.ts',
      "if (comesBack(one.asking) && keepsShards(record) && (verb !== 'stop' || order !== undefined))",
      "if (verb === 'wipe' && comesBack(one.asking) && keepsShards(record))",
    ),
  ),
  rareMutant(
    'cluster forgotten with a member left over',
    ['I8'],
    patch(
      'server/reconcile/plan.ts',
      "if (runtime.size === 0) return [{ kind: 'forget_cluster' }];",
      "if (runtime.size >= 0) return [{ kind: 'forget_cluster' }];",
    ),
  ),
  rareMutant(
    'told long after it was written',
    ['I6'],
    patch('server/cluster-loop.ts', 'if (this.#mayBeOld()) continue;', 'if (this.#isClosed()) continue;'),
  ),
  rareMutant(
    'stop begun long after its permit was used',
    ['I4'],
    patch('pilot/engine/engine.ts', 'if (ageMs <= mostMs) return undefined;', 'if (ageMs > 0) return undefined;'),
  ),
  rareMutant(
    'exclusion that came back late belongs to nobody',
    ['I7'],
    patch('server/reconcile/settings.ts', '[...Object.keys(members), ...left]', 'left && [...Object.keys(members)]'),
  ),
];
