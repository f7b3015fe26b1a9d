/** A ClusterLedger: the one object that a server keeps a cluster's ledger in. Nobody else writes it. */
import { ledgerCompressedMax, ledgerTextMax } from '../model/cluster-ledger.ts';
import type { StructuralSchema } from './schema.ts';

/** The schema of a whole ClusterLedger, as `openAPIV3Schema` of its CustomResourceDefinition. */
export const clusterLedgerSchema: StructuralSchema = {
  type: 'object',
  required: ['revision'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    revision: { type: 'integer', format: 'int64', description: 'grows by one with every write', minimum: 1 },
    text: { type: 'string', description: 'the ledger, JSON', maxLength: ledgerTextMax },
    compressed: {
      type: 'string',
      description: 'the ledger where it is larger: JSON, gzip, base64',
      maxLength: ledgerCompressedMax,
    },
  },
  'x-kubernetes-validations': [
    { rule: 'has(self.text) != has(self.compressed)', message: 'has one of text and compressed' },
    {
      // Whoever changes it by hand must not slip below the compare-and-swap of a server that has read it before.
      rule:
        'self.revision == oldSelf.revision + 1 || (self.revision == oldSelf.revision && ' +
        'has(self.text) == has(oldSelf.text) && (!has(self.text) || self.text == oldSelf.text) && ' +
        '(!has(self.compressed) || self.compressed == oldSelf.compressed))',
      message: 'grows by one with every change of the ledger',
      fieldPath: '.revision',
    },
  ],
};
