/** The download of a blob follows another replica's: the caller is to follow that one. */
export class FollowsReplica extends Error {
  override readonly name = 'FollowsReplica';
  readonly replica: string;
  /** Whether a byte has come: then the download goes on here if that replica dies. */
  readonly hasBytes: boolean;

  constructor(replica: string, hasBytes: boolean) {
    super(`the download follows that of ${replica}`);
    this.replica = replica;
    this.hasBytes = hasBytes;
  }
}

/** The blob is neither stored nor being downloaded. */
export class NotCached extends Error {
  override readonly name = 'NotCached';
}
