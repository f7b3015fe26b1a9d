/** How a ledger lies in one object of Kubernetes, a ClusterLedger. */

/** The most characters that a ledger may take as plain text; a longer one is compressed. */
export const ledgerTextMax = 64 * 1024;

/** The most characters of a compressed ledger: with everything around it, the object stays below etcd's 1.5 MiB. */
export const ledgerCompressedMax = 1280 * 1024;

export interface ClusterLedger {
  readonly apiVersion: string;
  readonly kind: 'ClusterLedger';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  /** Grows by one with every write; 1 is the first. */
  readonly revision: number;
  /** The ledger, JSON. */
  readonly text?: string;
  /** A larger ledger: JSON, gzip, base64. */
  readonly compressed?: string;
}
