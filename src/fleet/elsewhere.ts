/** The download of a blob follows another replica's: the caller is to follow that one. */
export class FollowsReplica extends Error {
  override readonly name = 'FollowsReplica';
  readonly replica: string;

  constructor(replica: string) {
    super(`the download follows that of ${replica}`);
    this.replica = replica;
  }
}

/** The blob is neither stored nor being downloaded. */
export class NotCached extends Error {
  override readonly name = 'NotCached';
}
