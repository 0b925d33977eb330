import { type Fields, field, isText, listOf } from '../base/text/json.ts';
import { ApiFailure } from '../kubernetes/failure.ts';
import { controllerOf, type MigratedKind, secretKind, serviceAccountKind } from './kinds.ts';
import { type ClusterObjects, type ObjectPlace, placeKey, placeOf } from './objects.ts';
import { coveringLogin } from './rules/login-names.ts';
import { changedLogins, loginFiles, loginKeys, MigrationFault } from './rules/logins.ts';
import { namedImage, type ReferenceRules } from './rules/rules.ts';

/** A reference that the pods have no login for any more. */
export interface LostLogin {
  readonly from: string;
  /** What is named once all is done; the same for a reference that stays. */
  readonly to: string;
  /** The pull secret that has, or had, a login for `from`, and the name of that. */
  readonly secret: string;
  readonly login: string;
}

/** The logins that pods are given. */
export interface PullSecrets {
  /** The secret no longer has logins under these names. */
  renamed(place: ObjectPlace, names: readonly string[]): void;
  /**
   * Of the images that pods of the object name: those for which their pull secrets have a login
   * now, and have none once all is done. Rejects at the signal alone.
   */
  lost(object: Fields, kind: MigratedKind): Promise<readonly LostLogin[]>;
}

interface PullSecretsOptions {
  readonly objects: Pick<ClusterObjects, 'read'>;
  readonly rules: ReferenceRules;
  /** Whether secrets change too, and have not yet: in a dry run of secrets and workloads. */
  readonly changesSecrets: boolean;
  readonly signal: AbortSignal;
  /** A secret or a service account cannot be read, or secrets are not as they should be. */
  readonly unread: (place: ObjectPlace, error: unknown) => void;
}

/** The names of its logins, now and once all is done. */
interface SecretLogins {
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Each secret and each service account is read once. */
export function createPullSecrets(options: PullSecretsOptions): PullSecrets {
  const { objects, rules, signal, unread } = options;
  const formerly = new Map<string, readonly string[]>();
  const secrets = new Map<string, Promise<SecretLogins>>();
  const accounts = new Map<string, Promise<readonly string[]>>();

  async function read<Value>(kind: MigratedKind, place: ObjectPlace, of: (object: unknown) => Value) {
    try {
      return of(await objects.read(kind, place, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ApiFailure || error instanceof MigrationFault)) throw error;
      unread(place, error);
      return of(undefined);
    }
  }

  function secret(place: ObjectPlace): Promise<SecretLogins> {
    const { name } = place;
    return read(secretKind, place, (object) => {
      const now = loginKeys(object);
      const before = [...now, ...(formerly.get(placeKey(place)) ?? [])];
      return { name, before, after: options.changesSecrets ? keysAfter(object, rules) : now };
    });
  }

  async function secretsOf(spec: unknown, namespace: string | undefined): Promise<readonly SecretLogins[]> {
    const own = namesIn(spec);
    const account = field(spec, 'serviceAccountName') ?? field(spec, 'serviceAccount');
    const owner = { namespace, name: isText(account) ? account : 'default' };
    // Pods get those of their account only where they name none.
    const names =
      own.length > 0
        ? own
        : await once(accounts, placeKey(owner), () => read(serviceAccountKind, owner, namesIn));
    const places = names.map((name) => ({ namespace, name }));
    return Promise.all(places.map((place) => once(secrets, placeKey(place), () => secret(place))));
  }

  return {
    renamed: (place, names) => void formerly.set(placeKey(place), names),
    async lost(object, kind) {
      if (kind.podSpec === undefined || controllerOf(object) !== undefined) return [];
      const moves = movesIn(object, kind, rules);
      if (moves.length === 0) return [];
      const spec = kind.podSpec.reduce<unknown>(field, object);
      const found = await secretsOf(spec, placeOf(object, kind).namespace);
      return moves.flatMap(({ from, to }) => {
        const [before, after] = [namedImage(from), namedImage(to)];
        if (before === undefined || after === undefined) return [];
        if (found.some((each) => coveringLogin(each.after, after) !== undefined)) return [];
        return found
          .flatMap((each) => {
            const login = coveringLogin(each.before, before);
            return login === undefined ? [] : [{ from, to, secret: each.name, login }];
          })
          .slice(0, 1);
      });
    },
  };
}

/** Each image once, with what becomes of it; without those that no rule is about. */
function movesIn(object: Fields, { fields, isFixed }: MigratedKind, rules: ReferenceRules) {
  return [...new Set(fields(object).map(({ text }) => text))].flatMap((from) => {
    const to = isFixed === undefined ? rules.reference(from) : from;
    const named = namedImage(from);
    const isLeft = named === undefined || (to === from && !rules.renamesLoginsOf(named));
    return isLeft ? [] : [{ from, to }];
  });
}

function keysAfter(secret: unknown, rules: ReferenceRules): readonly string[] {
  const file = loginFiles[String(field(secret, 'type'))];
  const data = file && field(field(secret, 'data'), file.entry);
  if (file === undefined || !isText(data)) return [];
  try {
    const changed = changedLogins(data, file, rules).data;
    return loginKeys({ type: field(secret, 'type'), data: { [file.entry]: changed } });
  } catch (error) {
    // The secret stays as it is.
    if (error instanceof MigrationFault) return loginKeys(secret);
    throw error;
  }
}

/** The secrets that a pod spec or a service account names. */
function namesIn(holder: unknown): readonly string[] {
  return listOf(field(holder, 'imagePullSecrets')).flatMap((each) => {
    const name = field(each, 'name');
    return isText(name) ? [name] : [];
  });
}

function once<Value>(
  known: Map<string, Promise<Value>>,
  key: string,
  read: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(key) ?? read();
  known.set(key, found);
  return found;
}
