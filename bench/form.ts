/** How much a run measures. */
export type FormName =
  /** Small samples in two or three rounds, some conditions and shapes: what CI has time for. */
  | 'short'
  /** Small samples in five rounds, all conditions and shapes: what is published. */
  | 'peers'
  | 'long';

export interface Form {
  readonly name: FormName;
  /** Whether samples are small: seconds of requests, megabytes of blobs. */
  readonly isSmall: boolean;
  /** The rounds of a scenario that has so many in the short and in the long form. */
  rounds(short: number, long: number): number;
}

const roundsOfPeers = 5;

export function formNamed(name: FormName): Form {
  return {
    name,
    isSmall: name !== 'long',
    rounds: (short, long) => ({ short, peers: roundsOfPeers, long })[name],
  };
}
