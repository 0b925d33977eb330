import type { Bcrypt } from '../robots/bcrypt.ts';
import { createRobots, type RobotFiles } from '../robots/robots.ts';
import { createTokens } from '../tokens/token.ts';
import { createTokenKeys, type TokenKeyFiles } from '../tokens/token-keys.ts';
import { createGuard, type Guard } from './guard.ts';

interface RobotsGuardOptions extends TokenKeyFiles {
  /** The host's name in the configuration: the audience of its tokens. */
  readonly host: string;
  readonly files: RobotFiles;
  /** How long a token works, in seconds. Default 21,600: 6 hours. */
  readonly tokenValiditySeconds?: number;
  readonly bcrypt: Bcrypt;
}

/** The guard of `auth: robots`. Reads its files on first use, and when they change. */
export function createRobotsGuard(options: RobotsGuardOptions): Guard {
  const { host, files, tokenValiditySeconds: validitySeconds, bcrypt } = options;
  const known = createRobots({ files, bcrypt });
  return createGuard({
    authenticator: known,
    authorizer: known,
    tokens: createTokens({ audience: host, keys: createTokenKeys(options), validitySeconds }),
  });
}
