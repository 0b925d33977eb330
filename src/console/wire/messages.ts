// What the server tells the page, as JSON. Types alone: the server and the page both use them.

/** A condition, as `/statusz` has it. */
export interface ShownCondition {
  readonly type: string;
  readonly name?: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** ISO 8601. */
  readonly lastTransitionTime: string;
  readonly pending?: {
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly countsAt: string;
  };
}

/** What this process is. */
export interface ServiceFigures {
  readonly version: string;
  readonly revision: string;
  readonly node: string;
  readonly instance: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What a GB from an upstream costs; absent where the settings do not say. */
  readonly pricePerGB?: number;
  readonly hasMirror: boolean;
  readonly hasFleet: boolean;
}

/** Counts since the start. */
export interface TrafficFigures {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Reads by where their bytes came from. */
  readonly reads: Readonly<Record<string, number>>;
  /** Requests that ended, by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Requests that ended, by class of status: `2xx` and so on. */
  readonly classes: Readonly<Record<string, number>>;
  readonly resumed: number;
  readonly refused: number;
  readonly limited: number;
  readonly running: number;
  readonly waiting: number;
}

/** Counts at one time, each since the start. */
export interface HistoryPoint {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly requests: number;
  readonly failed: number;
  /** Reads that needed no upstream, of all of them. */
  readonly hits: number;
  readonly reads: number;
}

export interface UpstreamFigures {
  readonly name: string;
  readonly url: string;
  readonly breaker: string;
  /** What the registry said of the requests that it still allows. */
  readonly limits?: string;
  readonly requests: number;
  /** Of these, answered with 429, with 5xx, and not answered. */
  readonly throttled: number;
  readonly failed: number;
  readonly silent: number;
  readonly receivedBytes: number;
  readonly resumed: number;
  readonly wrong: number;
  /** To the header of the answer, within the last five minutes, milliseconds; absent for none. */
  readonly medianMs?: number;
  readonly slowestMs?: number;
}

/** Bytes on a disk, in a bucket, in memory. */
export interface StorageFigures {
  readonly use: 'store' | 'disk' | 'spool';
  readonly bytes?: number;
  readonly blobs?: number;
  readonly maxBytes?: number;
  readonly diskBytes?: number;
  readonly diskFreeBytes?: number;
}

/** A download under way. */
export interface FillFigures {
  readonly upstream: string;
  readonly repository: string;
  readonly digest: string;
  readonly receivedBytes: number;
  /** Absent until the upstream says it. */
  readonly size?: number;
  readonly seconds: number;
  /** Requests that began or joined it. */
  readonly requests: number;
  /** The member of the fleet that downloads it. */
  readonly followed?: string;
}

/** A request that failed. */
export interface FailureFigures {
  readonly id: string;
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly status: number;
  readonly error?: string;
  readonly message: string;
  readonly upstream?: string;
  readonly subject?: string;
  readonly cause?: string;
}

export interface MirrorFigures {
  readonly lease: 'held' | 'waiting' | 'failed';
  readonly waiting: number;
  readonly running: number;
  readonly parked: number;
  readonly oldestAt?: number;
}

export interface FleetFigures {
  readonly self: string;
  readonly members: readonly {
    readonly name: string;
    readonly isLive: boolean;
    /** The part of all content that it owns, 0 to 1. */
    readonly share: number;
    /** Downloads under way here whose content it owns. */
    readonly owned: number;
  }[];
  readonly receivedBytes: number;
  readonly storedBytes: number;
  readonly fromMembersBytes: number;
  readonly toMembersBytes: number;
  readonly failures: number;
  readonly takeovers: number;
}

/** All that the page is told by itself, by section; a viewer gets those that it may see. */
export interface ConsoleSections {
  readonly service: ServiceFigures;
  readonly conditions: {
    readonly conditions: readonly ShownCondition[];
    readonly parts: readonly ShownCondition[];
  };
  readonly traffic: TrafficFigures;
  readonly history: readonly HistoryPoint[];
  readonly upstreams: readonly UpstreamFigures[];
  readonly storage: readonly StorageFigures[];
  readonly fills: { readonly shown: readonly FillFigures[]; readonly more: number };
  /** The latest last. After the first message, only those that are new. */
  readonly failures: readonly FailureFigures[];
  readonly mirror: MirrorFigures;
  readonly fleet: FleetFigures;
}

/** Who looks. */
export interface ConsoleViewer {
  readonly name: string;
  readonly isOperator: boolean;
  /** Whether a login is kept in this browser, which can be ended. */
  readonly hasLogin: boolean;
}
