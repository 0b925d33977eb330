import { field, isText, jsonOrNone } from '../../base/text/json.ts';
import { parseMs } from '../../config/schema/units.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Io, type Run, writeJson } from '../flags/io.ts';
import { holdFlags, releaseFlags } from '../pages/holds.ts';
import { type AdminAnswer, adminListener, refusalText } from '../serve/admin-listener.ts';

/**
 * `quayside mirror hold`: the loop of a running server, and of all that share its store, does not
 * overwrite the destination any more. 1 where the server cannot be told, or refuses.
 */
export const mirrorHold: Run = async (args, io) => {
  const { values, words } = parseFlags(holdFlags, args);
  const destination = oneDestination(words);
  const until = values.until === undefined ? undefined : endText(values.until);
  const { why } = values;
  const order = { destination, ...(until && { until }), ...(why && { why }) };
  const said = await asked('hold', order, values, io);
  if (said === undefined) return 1;
  const end = field(said, 'until');
  if (values.output === 'json') writeJson(io.stdout, said);
  else io.stdout.write(`${field(said, 'destination')}: held until ${isText(end) ? end : 'its release'}\n`);
  return 0;
};

/** `quayside mirror release`: ends a hold. 1 also where there is none. */
export const mirrorRelease: Run = async (args, io) => {
  const { values, words } = parseFlags(releaseFlags, args);
  const destination = oneDestination(words);
  if ((await asked('release', { destination }, values, io)) === undefined) return 1;
  if (values.output === 'json') writeJson(io.stdout, { destination, released: true });
  else io.stdout.write(`${destination}: released\n`);
  return 0;
};

function oneDestination([destination, ...others]: readonly string[]): string {
  if (destination === undefined || others.length > 0)
    throw new UsageError('takes one DESTINATION, such as quay.io/openshift/ci:ci_tool_latest');
  return destination;
}

/** A time as it stands; a duration such as `12h` counts from now. Throws `UsageError`. */
export function endText(text: string): string {
  if (text.includes('T')) return text;
  try {
    return new Date(Date.now() + parseMs(text)).toISOString();
  } catch {
    throw new UsageError('--until needs a time such as 2026-12-01T12:00:00Z, or a duration such as 12h');
  }
}

/** The document of the answer; undefined once its failure is on standard error. */
async function asked(
  order: 'hold' | 'release',
  body: object,
  values: Parameters<typeof adminListener>[0],
  io: Io,
): Promise<unknown> {
  const { host, post } = await adminListener(values, io);
  const answer = await post(`/api/v1/mirrors/${order}`, body);
  if (answer.status === 200) return jsonOrNone(Buffer.from(answer.text)) ?? {};
  io.stderr.write(`quayside mirror ${order}: ${host} ${whyNot(answer)}\n`);
  return undefined;
}

/** Why an order was not followed, after the host's name. */
export function whyNot({ status, text }: AdminAnswer): string {
  if (status === undefined) return text;
  const isOurs =
    status === 400 || status === 409 || text.startsWith('no hold on ') || text.startsWith('the store ');
  return isOurs ? `refuses: ${text.trim()}` : refusalText(status);
}
