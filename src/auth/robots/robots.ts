// Room `auth/robots`: robot accounts of this service, by htpasswd or a pair of files. In: a name
// and a password. Out: the robot, compared on a thread. Imports: auth, base.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { andThen } from '../../base/flow/maybe-promise.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { type RereadOptions, readOnChange } from '../../base/state/watched-file.ts';
import type { Authorizer, Credential, Decision, Subject } from '../access.ts';
import { loginsUnavailable } from '../unavailable.ts';
import type { Bcrypt } from './bcrypt.ts';
import { type Htpasswd, parseHtpasswd } from './htpasswd.ts';

/** The files of the robots: many as by `htpasswd -B`, or one name and one password. */
export type RobotFiles =
  | { readonly htpasswdFile: string }
  | { readonly usernameFile: string; readonly passwordFile: string };

interface RobotsOptions extends RereadOptions {
  readonly files: RobotFiles;
  readonly bcrypt: Bcrypt;
  /** How long a wrong name and password are remembered, in ms. Default 60,000. */
  readonly rememberMs?: number;
}

/** Knows robots by name and password, and lets each known one pull everything. */
export interface Robots extends Authorizer {
  authenticate(credential: Credential, address?: string): Promise<Subject | undefined>;
}

/** One reading of the files. */
interface Register {
  isKnown(name: string): boolean;
  isPair(name: string, password: string, address?: string): Promise<boolean>;
}

const mostRemembered = 1000;
const allowed: Decision = Object.freeze({ allowed: true, rule: 'robots' });

/** On one who was a robot when the token was made. */
export const noLongerKnown: Decision = Object.freeze({
  allowed: false,
  rule: 'robots',
  reason: 'this robot is no longer configured',
});

/**
 * Robots out of files that may be replaced at any time: a robot that is taken out is out within a
 * second, its tokens too. A right password is remembered for as long as the files stand, so that a
 * robot that works waits behind no guess; a wrong one for a minute. Both as keyed hashes.
 */
export function createRobots({ files, bcrypt, rememberMs = 60_000, ...options }: RobotsOptions): Robots {
  const read = readOnChange(
    'htpasswdFile' in files ? [files.htpasswdFile] : [files.usernameFile, files.passwordFile],
    'htpasswdFile' in files
      ? ([text = '']) => remembering(manyRobots(parseHtpasswd(text), bcrypt), rememberMs)
      : ([name = '', password = '']) => oneRobot(withoutNewline(name), withoutNewline(password)),
    { ...options, failure: loginsUnavailable },
  );

  return {
    async authenticate(credential: Credential, address?: string): Promise<Subject | undefined> {
      if (credential.kind !== 'basic') return undefined;
      const { username, password } = credential;
      const register = await read();
      const isPair = await register.isPair(username, password, address);
      return isPair ? { name: username, groups: [] } : undefined;
    },
    authorize: ({ name }) =>
      andThen(read(), (register) => (register.isKnown(name) ? allowed : noLongerKnown)),
    visible: async (_subject, _place, tags) => tags,
  };
}

/** An unknown name costs a comparison too, so that the time does not reveal which names exist. */
function manyRobots(hashes: Htpasswd, bcrypt: Bcrypt): Register {
  const [somebodys] = hashes.values();
  return {
    isKnown: (name) => hashes.has(name),
    async isPair(name, password, address) {
      const hash = hashes.get(name) ?? somebodys;
      return (
        hash !== undefined && (await bcrypt.matches(password, hash, { address, name })) && hashes.has(name)
      );
    },
  };
}

function oneRobot(robot: string, secret: string): Register {
  if (robot === '' || secret === '') throw new Error('the user name file or the password file is empty');
  const digest = keyedDigest();
  const expected = digest(robot, secret);
  return {
    isKnown: (name) => name === robot,
    isPair: async (name, password) => timingSafeEqual(digest(name, password), expected),
  };
}

/** Compares once per pair; remembers a yes as long as the register, a no for a while. */
function remembering(register: Register, rememberMs: number): Register {
  const digest = keyedDigest();
  /** No more than there are robots: each has one password. */
  const right = new Map<string, Buffer>();
  const wrong = createLru<string, true>(mostRemembered, { keepMs: rememberMs });
  const asking = createSingleFlight<boolean>();

  return {
    isKnown: register.isKnown,
    async isPair(name, password, address) {
      const hashed = digest(name, password);
      const known = right.get(name);
      if (known !== undefined && timingSafeEqual(known, hashed)) return true;
      const key = hashed.toString('base64');
      if (wrong.has(key)) return false;
      return asking(key, async () => {
        const isRight = await register.isPair(name, password, address);
        if (isRight) right.set(name, hashed);
        else wrong.set(key, true);
        return isRight;
      });
    },
  };
}

/** A hash of name and password under a key of this process: constant length, for comparing. */
function keyedDigest(): (name: string, password: string) => Buffer {
  const key = randomBytes(32);
  return (name, password) => createHmac('sha256', key).update(`${name.length}:${name}${password}`).digest();
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
