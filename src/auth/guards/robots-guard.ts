import type { Bcrypt } from '../robots/bcrypt.ts';
import { type RobotFiles, robots } from '../robots/robots.ts';
import { tokens } from '../tokens/token.ts';
import { type TokenKeyFiles, tokenKeys } from '../tokens/token-keys.ts';
import { type Guard, guard } from './guard.ts';

export interface RobotsGuardOptions extends TokenKeyFiles {
  /** The host's name in the configuration: the audience of its tokens. */
  readonly host: string;
  readonly files: RobotFiles;
  /** How long a token works, in seconds. Default 21,600: 6 hours. */
  readonly tokenValiditySeconds?: number;
  readonly bcrypt: Bcrypt;
}

/** The guard of a host with `auth: robots`. Reads its files when they are needed first, and again when they change. */
export function robotsGuard(options: RobotsGuardOptions): Guard {
  const { host, files, tokenValiditySeconds, bcrypt } = options;
  const known = robots({ files, bcrypt });
  const validity = tokenValiditySeconds === undefined ? {} : { validitySeconds: tokenValiditySeconds };
  return guard({
    authenticator: known,
    authorizer: known,
    tokens: tokens({ audience: host, keys: tokenKeys(options), ...validity }),
  });
}
