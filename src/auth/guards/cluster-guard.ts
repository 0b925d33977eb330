import type { Authenticator, Authorizer, Subject } from '../access.ts';
import type { Bcrypt } from '../robots/bcrypt.ts';
import { createRobots, noLongerKnown, type RobotFiles, type Robots } from '../robots/robots.ts';
import { anonymousName } from '../subject.ts';
import type { KeptSubjects } from '../tokens/kept-subjects.ts';
import { createTokens } from '../tokens/token.ts';
import { createTokenKeys, type TokenKeyFiles } from '../tokens/token-keys.ts';
import { createCursors } from './cursors.ts';
import { createGuard, type Guard } from './guard.ts';

export interface ClusterGuardOptions extends TokenKeyFiles {
  /** The host's name in the configuration: the audience of its tokens. */
  readonly host: string;
  /** Knows the people and service accounts of the clusters. */
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** Where subjects are kept that are too large for a token. */
  readonly subjects: KeptSubjects;
  /** Also let in, to everything. Default: none. */
  readonly robots?: { readonly files: RobotFiles; readonly bcrypt: Bcrypt };
  /** The cluster that decides for clients without a login. Default: they must log in. */
  readonly anonymousCluster?: string;
  /** How long a token works, in seconds. Default 21,600: 6 hours. */
  readonly tokenValiditySeconds?: number;
}

/** The guard of `auth: cluster`: robots and clusters authenticate, and each decides for its own. */
export function createClusterGuard(options: ClusterGuardOptions): Guard {
  const { host, authenticator, authorizer, subjects, tokenValiditySeconds: validitySeconds } = options;
  const known = options.robots === undefined ? undefined : createRobots(options.robots);
  const keys = createTokenKeys(options);
  return createGuard({
    authenticator: known === undefined ? authenticator : eitherKnows(known, authenticator),
    authorizer: separate(known, authorizer),
    tokens: createTokens({ audience: host, keys, subjects, validitySeconds }),
    cursors: createCursors(keys),
    ...(options.anonymousCluster === undefined ? {} : { anonymous: anonymous(options.anonymousCluster) }),
  });
}

function anonymous(cluster: string): Subject {
  const groups = Object.freeze(['system:unauthenticated']);
  return Object.freeze({ name: anonymousName, groups, cluster });
}

/** What a cluster hands out: three base64url parts, or OpenShift's own prefix. */
const clusterToken = /^(?:[\w-]+\.[\w-]+\.[\w-]+|(?:.*:)?sha256~[\w-]+)$/;

/**
 * Robots first, but not for a cluster's token: each comparison with a robot's hash takes a tenth of
 * a second. If one backend is unavailable, the other is still tried.
 */
function eitherKnows(robotsOfOurs: Authenticator, clusters: Authenticator): Authenticator {
  return {
    async authenticate(credential, address) {
      const secret = credential.kind === 'basic' ? credential.password : credential.token;
      const [first, second] = clusterToken.test(secret) ? [clusters, robotsOfOurs] : [robotsOfOurs, clusters];
      try {
        const subject = await first.authenticate(credential, address);
        if (subject !== undefined) return subject;
      } catch (error) {
        const subject = await second.authenticate(credential, address);
        if (subject !== undefined) return subject;
        throw error;
      }
      return second.authenticate(credential, address);
    },
  };
}

/** Subjects without a cluster are robots; a robot that was removed is denied. */
function separate(known: Robots | undefined, rules: Authorizer): Authorizer {
  return {
    authorize: (subject, access) =>
      subject.cluster === undefined
        ? (known?.authorize(subject, access) ?? noLongerKnown)
        : rules.authorize(subject, access),
    async visible(subject, place, tags) {
      if (subject.cluster !== undefined) return rules.visible(subject, place, tags);
      return known?.visible(subject, place, tags) ?? [];
    },
  };
}
