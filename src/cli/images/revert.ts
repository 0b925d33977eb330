import { defined } from '../../base/text/defined.ts';
import { isCertain, whyUnread } from '../../mirror/inspect/gaps.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import type { RevertPlace } from '../../mirror/revert/place.ts';
import { type RevertPlan, revertPlan } from '../../mirror/revert/plan.ts';
import { type Reverted, revert } from '../../mirror/revert/revert.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Io, type Run, stopCode, writeJson } from '../flags/io.ts';
import type { MirrorEndpoints } from '../mirror/endpoints.ts';
import { type AdminListener, adminListener } from '../serve/admin-listener.ts';
import { type HeldNow, holdNow, revertHold } from './revert-hold.ts';
import { parseRevertFlags, type RevertOptions } from './revert-options.ts';
import { configuredEndpoints } from './settings.ts';

/** The server with the holds, and the hold that it has. */
interface HeldAt {
  readonly server: AdminListener;
  readonly before: HeldNow;
}

/**
 * `quayside revert`: sets a tag back to a version that was kept, and holds it against the loop of
 * the mirror. Ends with 0 when it is, or would be, 1 when not, 3 when nothing could be found out,
 * 130 or 143 when a signal stopped it.
 */
export function reverting(now: () => number = Date.now): Run {
  return async (args, io) => {
    const wish = parseRevertFlags(args);
    const ends = await configuredEndpoints({ ...wish, dir: '.' }, 'push', io);
    try {
      const place = await placeOf(wish, ends);
      const held = await heldAt(wish, io);
      const plan = await revertPlan(place, { ...wish, now: now() }, io.signal);
      return await follow(plan, { place, held, wish, io });
    } catch (error) {
      if (io.signal.aborted) return stopCode(io.signal.reason);
      if (!(error instanceof RegistryError)) throw error;
      io.stderr.write(`error: ${wish.image.text}: ${whyUnread(error)}\n`);
      return isCertain(error) ? 1 : 3;
    } finally {
      await ends.close();
    }
  };
}

async function placeOf({ image }: RevertOptions, ends: MirrorEndpoints): Promise<RevertPlace> {
  const spec = parsePullSpec(image.text);
  const { putManifest } = await ends.destination(spec);
  const writer = { putManifest, deleteTag: await ends.deleteTag(spec) };
  return { reader: await ends.source(spec), writer, repository: image.repository };
}

/** Asked also for a dry run: without an answer the revert could not begin. */
async function heldAt(wish: RevertOptions, io: Io): Promise<HeldAt | undefined> {
  const { hasHold, admin, config, tokenFile, image } = wish;
  if (!hasHold) return undefined;
  const place = admin === undefined ? { config } : { admin };
  const server = await adminListener({ ...place, 'token-file': tokenFile }, io);
  return { server, before: await holdNow(server, image.text) };
}

interface RevertCommand {
  readonly place: RevertPlace;
  readonly held: HeldAt | undefined;
  readonly wish: RevertOptions;
  readonly io: Io;
}

async function follow(plan: RevertPlan, { place, held, wish, io: whole }: RevertCommand): Promise<number> {
  const { confirm, image, until, why, json } = wish;
  const io = json ? { ...whole, stdout: { write: () => undefined } } : whole;
  const ended = (end: object) => json && writeJson(whole.stdout, documentOf(plan, wish, end));
  io.stdout.write(versionsText(plan, image.text));
  const { digest } = plan.previous.manifest.descriptor;
  if (digest === plan.current.descriptor.digest) {
    io.stdout.write(`${plan.previous.tag} is the same image. No revert necessary.\n`);
    ended({ outcome: 'same' });
    return 0;
  }
  if (!confirm) {
    io.stdout.write(planText(plan, held, image.text));
    ended({ outcome: 'planned' });
    return 0;
  }
  const reason = why ?? `reverted to ${digest} by quayside revert`;
  const order = { destination: image.text, why: reason, ...defined({ until }) };
  const hold = held && revertHold(held.server, order, held.before);
  const steps: string[] = [];
  const done = (what: string) => {
    steps.push(what);
    io.stdout.write(`done: ${what}\n`);
  };
  const reverted = await revert(plan, { place, hold, done, signal: io.signal });
  ended({ ...reverted, steps });
  return told(reverted, { place, held, wish, io });
}

/** What a program reads of a revert, or of its plan. */
function documentOf(
  { current, count, shown, previous, broken }: RevertPlan,
  wish: RevertOptions,
  end: object,
) {
  return {
    image: wish.image.text,
    digest: current.descriptor.digest,
    count,
    versions: shown,
    previous: { tag: previous.tag, digest: previous.manifest.descriptor.digest },
    keptAs: broken,
    ...end,
  };
}

function told(reverted: Reverted, { held, wish: { image }, io }: RevertCommand): number {
  if (reverted.outcome === 'done') {
    if (reverted.warning !== undefined) io.stderr.write(`warning: ${reverted.warning}\n`);
    if (held !== undefined)
      io.stdout.write(`The mirror leaves it alone until: quayside mirror release ${image.text}\n`);
    if (reverted.isLost === true) return 1;
    io.stdout.write('A promotion overwrites it all the same, unless it is turned off.\n');
    return 0;
  }
  const { why, left } = reverted;
  io.stderr.write(`error: ${image.text} is not reverted: ${why}\n`);
  for (const each of left) io.stderr.write(`error: cannot be undone: ${each}\n`);
  if (left.length === 0) io.stderr.write('info: all is as it was before\n');
  return io.signal.aborted ? stopCode(io.signal.reason) : 1;
}

function versionsText({ current, count, shown }: RevertPlan, name: string): string {
  const lines = shown.map(({ number, time, digest, tag }) => {
    const mark = digest === current.descriptor.digest ? ', the same image' : '';
    return `  ${number}  ${timeText(time)}  ${digest ?? 'gone'}  ${tag}${mark}\n`;
  });
  return `${name} is ${current.descriptor.digest}; ${count} previous versions are kept:\n${lines.join('')}`;
}

function planText(
  { tag, broken, current, previous }: RevertPlan,
  held: HeldAt | undefined,
  name: string,
): string {
  const again = held?.before === undefined ? '' : ', in the place of the hold that is there';
  const steps = [
    ...(held === undefined ? [] : [`hold ${name} at ${held.server.host}${again}`]),
    `tag ${current.descriptor.digest} as ${broken}`,
    `tag ${previous.manifest.descriptor.digest} as ${tag}`,
    `delete the tag ${previous.tag}`,
  ];
  const lines = steps.map((step, index) => `  ${index + 1}. ${step}\n`);
  return `Plan:\n${lines.join('')}Nothing was changed. Add --confirm to actually perform the revert\n`;
}

/** `2026-11-29 15:26:04` */
function timeText(digits: string): string {
  const [year, month, day, hour, minute, second] = [0, 4, 6, 8, 10, 12].map((start, index) =>
    digits.slice(start, start + (index === 0 ? 4 : 2)),
  );
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}
