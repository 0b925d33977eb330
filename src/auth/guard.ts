import type { Authenticator, Authorizer } from './access.ts';
import type { Bcrypt } from './bcrypt.ts';
import { reread } from './reread.ts';
import { type RobotFiles, robots } from './robots.ts';
import { type Tokens, tokens } from './token.ts';
import { parseTokenKeys, randomTokenKeys } from './token-keys.ts';

/** All that stands between a client and a host with logins. */
export interface Guard {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly tokens: Tokens;
}

export interface RobotsGuardOptions {
  /** The host's name in the configuration: the audience of its tokens. */
  readonly host: string;
  readonly files: RobotFiles;
  /** Keys that sign tokens, see parseTokenKeys. Default: a random one, which other replicas do not accept. */
  readonly tokenSecretFile?: string;
  /** How long a token works, in seconds. Default 21,600. */
  readonly tokenValiditySeconds?: number;
  readonly bcrypt: Bcrypt;
}

/** The guard of a host with `auth: robots`. */
export function robotsGuard(options: RobotsGuardOptions): Guard {
  const { host, files, tokenSecretFile, tokenValiditySeconds, bcrypt } = options;
  const known = robots({ files, bcrypt });
  const randomKeys = randomTokenKeys();
  return {
    authenticator: known,
    authorizer: known,
    tokens: tokens({
      audience: host,
      keys:
        tokenSecretFile === undefined
          ? () => randomKeys
          : reread([tokenSecretFile], ([text = '']) => parseTokenKeys(text)),
      ...(tokenValiditySeconds === undefined ? {} : { validitySeconds: tokenValiditySeconds }),
    }),
  };
}
