import { oneLine } from '../../base/text/one-line.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import type { ToldChange } from '../../migrate/changes.ts';
import type { KeptReference } from '../../migrate/checks.ts';
import type { ExpectedObjects } from '../../migrate/expected.ts';
import { type MigratedKind, resourceName } from '../../migrate/kinds.ts';
import type { MigrationEvents, WantedObjects } from '../../migrate/migrate.ts';
import type { ObjectOutcome } from '../../migrate/migrate-object.ts';
import { type ObjectPlace, placeKey, told } from '../../migrate/objects.ts';
import type { LostLogin } from '../../migrate/pull-secrets.ts';
import type { Output } from '../flags/io.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import type { ObjectWriter } from './object-text.ts';
import type { MigrateOptions } from './options.ts';

/** Where lines go. */
interface ReportPlace {
  /** Undefined with `-o`: standard output holds objects alone. */
  readonly lines: Output | undefined;
  readonly complaints: Output;
  readonly writer: ObjectWriter | undefined;
}

const longestError = 600;

/** Counts and tells what becomes of each object. */
export class MigrationReport implements MigrationEvents {
  readonly #wish: MigrateOptions;
  readonly #place: ReportPlace;
  /** Kinds of owners that are looked at themselves. */
  readonly #looked: ReadonlySet<string>;
  readonly #counts = { total: 0, errors: 0, ignored: 0, unchanged: 0, migrated: 0 };
  readonly #failedKinds = new Set<MigratedKind>();
  readonly #failed: string[] = [];
  readonly #broken: string[] = [];
  #pinned = 0;
  #kept = 0;
  #lostLogins = 0;
  #unread: string | undefined;
  #latest = '';
  #expected: ExpectedObjects | undefined;
  readonly #lookedOf = new Map<MigratedKind, number>();

  constructor(wish: MigrateOptions, wanted: readonly WantedObjects[], place: ReportPlace) {
    this.#wish = wish;
    this.#place = place;
    this.#looked = new Set(wanted.map(({ kind }) => kind.kind));
  }

  /** What the progress is a share of. */
  expects(expected: ExpectedObjects | undefined): void {
    this.#expected = expected;
  }

  looked(kind: MigratedKind, place: ObjectPlace, outcome: ObjectOutcome): void {
    this.#count(kind);
    this.#latest = objectName(kind, place);
    this.#counts[outcome.state] += 1;
    if (outcome.state !== 'ignored') this.#pinned += outcome.pinned;
    if (outcome.state === 'migrated') {
      this.#place.writer?.write(told(outcome.object, kind));
      const word = this.#wish.confirm ? 'migrated:  ' : 'migrated (dry run):';
      this.#line(1, `${word} ${objectName(kind, place)}${changesText(outcome.changes)}`);
    } else if (outcome.state === 'ignored') {
      // The object of an owner that is looked at itself follows it.
      const isFollowed = outcome.owner !== undefined && this.#looked.has(outcome.owner);
      const why = outcome.owner === undefined ? 2 : 1;
      this.#line(isFollowed ? 2 : why, `ignored:    ${objectName(kind, place)}: ${outcome.why}`);
    } else this.#line(2, `unchanged:  ${objectName(kind, place)}`);
  }

  failed(kind: MigratedKind, place: ObjectPlace, error: unknown): void {
    this.#count(kind);
    this.#counts.errors += 1;
    this.#failedKinds.add(kind);
    const text = errorText(error);
    this.#failed.push(`${resourceName(kind)} ${placeKey(place)} # ${text}\n`);
    this.#place.complaints.write(`error:      ${objectName(kind, place)}: ${text}\n`);
  }

  kept(kind: MigratedKind, place: ObjectPlace, references: readonly KeptReference[]): void {
    this.#kept += references.length;
    this.#failedKinds.add(kind);
    const [first] = references;
    const text = `${first?.from} stays: ${first?.why}`;
    this.#failed.push(`${resourceName(kind)} ${placeKey(place)} # ${oneLine(text, longestError)}\n`);
    for (const { from, to, why } of references)
      this.#place.complaints.write(
        `error:      ${objectName(kind, place)}: ${from} stays, as ${to} ${oneLine(why, longestError)}\n`,
      );
  }

  loginsLost(kind: MigratedKind, place: ObjectPlace, lost: readonly LostLogin[]): void {
    this.#lostLogins += lost.length;
    for (const { from, to, secret, login } of lost) {
      const why =
        from === to
          ? `as that of ${secret} for ${login} is renamed`
          : `and ${secret} has that of ${login} for ${from}`;
      this.#place.complaints.write(
        `warning:    ${objectName(kind, place)}: its pull secrets have no login for ${to}, ${why}\n`,
      );
    }
  }

  /** A secret or a service account of a workload. */
  unread(place: ObjectPlace, error: unknown): void {
    if (this.#unread === undefined)
      this.#place.complaints.write(
        `info: whether pods have logins for what they name is not known everywhere: ${placeKey(place)}: ${errorText(error)}\n`,
      );
    this.#unread ??= placeKey(place);
  }

  retried(kind: MigratedKind, place: ObjectPlace, error: unknown): void {
    this.#line(2, `retry:      ${objectName(kind, place)}: ${errorText(error)}`);
  }

  passedOver(kind: MigratedKind, why: string): void {
    this.#place.complaints.write(`info: ${resourceName(kind)} is passed over: ${why}\n`);
  }

  broken(kind: MigratedKind, error: unknown): void {
    const isRefused = error instanceof ApiFailure && error.status === 403;
    const text = isRefused ? `this account may not list them: ${errorText(error)}` : errorText(error);
    this.#failedKinds.add(kind);
    this.#failed.push(`${resourceName(kind)} # ${text}\n`);
    this.#broken.push(`${resourceName(kind)}: ${text}`);
    this.#place.complaints.write(`error: ${resourceName(kind)} cannot be read: ${text}\n`);
  }

  /** Without a total until the server has said how many there are. */
  progress(): ProgressState {
    const { total, migrated, errors } = this.#counts;
    return {
      unit: 'objects',
      done: total,
      total: this.#total(),
      more: `${migrated} to migrate, ${errors} failed`,
      names: this.#latest === '' ? [] : [this.#latest],
    };
  }

  get isFine(): boolean {
    return this.#counts.errors === 0 && this.#kept === 0 && this.#broken.length === 0;
  }

  /** What failed, as `--only` takes it. */
  get failedLines(): string {
    return this.#failed.join('');
  }

  summary(): void {
    const { total, errors, ignored, unchanged, migrated } = this.#counts;
    const kind = this.#wish.confirm ? 'summary' : 'summary (dry run)';
    const counts = `total=${total} errors=${errors} ignored=${ignored} unchanged=${unchanged} migrated=${migrated}`;
    this.#place.lines?.write(`${kind}: ${counts}\n`);
    const { complaints } = this.#place;
    if (this.#pinned > 0)
      complaints.write(
        `info: ${this.#pinned} references by digest stay: lines of their repositories map tags. Map the digest, or the repository without a tag\n`,
      );
    if (this.#wish.isUsual && this.#wish.only.length === 0)
      complaints.write('info: workloads were not looked at; --include=all looks at them too\n');
    if (this.#lostLogins > 0)
      complaints.write(
        `warning: ${this.#lostLogins} references are without a login that they have now: --add-logins FILE adds those of FILE for the new places, --keep-logins keeps the old ones beside the new\n`,
      );
    if (migrated > 0 && !this.#wish.confirm && this.#place.lines !== undefined)
      complaints.write('info: nothing was changed; add --confirm to make the changes\n');
    if (this.#failedKinds.size > 0) {
      const names = [...this.#failedKinds].map(resourceName).join(',');
      complaints.write(`info: to rerun only failing resources, add --include=${names}\n`);
    }
    if (this.#kept > 0)
      complaints.write(
        `error: ${this.#kept} references stay, as the new ones could not be found: mirror them first, or add --no-check\n`,
      );
    if (errors > 0) complaints.write(`error: ${errors} resources failed to migrate\n`);
    if (this.#broken.length > 0)
      complaints.write(`error: exited without processing all resources: ${this.#broken.join('; ')}\n`);
  }

  #count(kind: MigratedKind): void {
    this.#counts.total += 1;
    this.#lookedOf.set(kind, (this.#lookedOf.get(kind) ?? 0) + 1);
  }

  /** Kinds that cannot be counted add what was looked at of them. */
  #total(): number | undefined {
    const expected = this.#expected;
    if (expected === undefined) return undefined;
    const kinds = new Set([...expected.keys(), ...this.#lookedOf.keys()]);
    return [...kinds].reduce(
      (sum, kind) => sum + Math.max(expected.get(kind) ?? 0, this.#lookedOf.get(kind) ?? 0),
      0,
    );
  }

  #line(level: number, text: string): void {
    if (this.#wish.verbosity >= level) this.#place.lines?.write(`${text}\n`);
  }
}

function objectName(kind: MigratedKind, { namespace, name }: ObjectPlace): string {
  return `${namespace === undefined ? '' : `-n ${namespace} `}${resourceName(kind)}/${name}`;
}

function changesText(changes: readonly ToldChange[]): string {
  return changes.map(({ where, from, to }) => `\n  ${where}: ${from} -> ${to}`).join('');
}

function errorText(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error), longestError);
}
