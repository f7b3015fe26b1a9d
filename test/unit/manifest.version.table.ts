/**
 * Which version may follow, where the object's own may never have been in force: what its status says, the version in its
 * spec, the one that is to replace it, and words of the reason where it may not.
 */
export interface VersionWay {
  readonly rule: string;
  readonly status: Readonly<Record<string, unknown>>;
  readonly from: string;
  readonly to: string;
  readonly refused?: string;
}

/** As the server writes it, of members that may run `version` at least, where `acceptedVersion` is in force. */
function said(version: string, acceptedVersion = version): VersionWay['status'] {
  return { observedGeneration: 1, version, acceptedVersion };
}

/** Nothing was ever taken up: every version so far was refused. */
const nothing = { observedGeneration: 1 };

export const versionWays: readonly VersionWay[] = [
  { rule: 'back from one that was refused', status: said('6.8.23'), from: '7.17.29', to: '6.8.23' },
  {
    rule: 'from one that was refused to a later one of the major',
    status: said('6.8.0'),
    from: '7.17.29',
    to: '6.8.23',
  },
  {
    rule: 'forward from one that was refused, where it is reachable',
    status: said('6.8.23'),
    from: '7.17.29',
    to: '7.17.30',
  },
  { rule: 'an upgrade that goes on to a later patch', status: said('5.6.16', '6.8.22'), from: '6.8.22', to: '6.8.23' },
  { rule: 'back where nothing was ever taken up', status: nothing, from: '7.17.29', to: '5.6.16' },
  { rule: 'anywhere where nothing was ever taken up', status: nothing, from: '9.0.0', to: '6.1.0' },
  { rule: 'the same version again, whatever the status says', status: said('8.0.0'), from: '6.8.23', to: '6.8.23' },
  {
    rule: 'below what is in force, from one that was refused',
    status: said('6.8.23'),
    from: '7.17.29',
    to: '6.8.22',
    refused: 'is a downgrade from 6.8.23',
  },
  {
    rule: 'below what is in force, though a member does not run it yet',
    status: said('5.6.16', '6.8.23'),
    from: '6.8.23',
    to: '5.6.16',
    refused: 'is a downgrade from 6.8.23',
  },
  {
    rule: 'a major further, from one that was refused',
    status: said('6.8.23'),
    from: '7.17.29',
    to: '8.19.0',
    refused: 'there is no direct way from 6.8.23: upgrade to 7.17 first',
  },
  {
    rule: 'too far for a member that is not there yet',
    status: said('6.1.0', '6.8.23'),
    from: '6.8.23',
    to: '7.17.0',
    refused: 'there is no direct way from 6.1.0: upgrade to 6.8 first',
  },
  {
    rule: 'back where nobody has looked yet',
    status: {},
    from: '6.8.23',
    to: '6.8.22',
    refused: 'downgrade from 6.8.23',
  },
  {
    rule: 'too far where nobody has looked yet',
    status: {},
    from: '6.1.0',
    to: '7.0.0',
    refused: 'no direct way from 6.1.0',
  },
];

export const couchbaseVersionWays: readonly VersionWay[] = [
  { rule: 'back from one that was refused', status: said('6.6.5'), from: '7.6.8', to: '6.6.5' },
  {
    rule: 'back below what is in force: how far, the server judges',
    status: said('7.1.4'),
    from: '7.6.8',
    to: '7.1.3',
  },
];
