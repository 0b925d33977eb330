import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { isObject, jsonOrNone } from '../../base/text/json.ts';
import type { DrillForm } from '../../drill/play/play.ts';
import type { DrillPlan } from '../../drill/play/session.ts';
import { drills } from '../../drill/table/table.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import type { DrillFlags } from './options.ts';

/** What the command line means on this machine. Throws `UsageError` for a missing file. */
export async function planOf(values: DrillFlags, { env }: Pick<Io, 'env'>): Promise<DrillPlan> {
  const { only, short, replicas, settings } = values;
  return {
    drills: drills.filter(({ name, layer, isShort }) =>
      only.length > 0 ? only.includes(name) || only.includes(layer) : short !== true || isShort,
    ),
    form: formOf(values),
    replicas,
    versitygw: await programAt('versitygw', values.versitygw, env['PATH']),
    prometheus: await programAt('prometheus', values.prometheus, env['PATH']),
    distribution: await besideAt(values),
    own: settings === undefined ? {} : await settingsIn(settings),
  };
}

/** The long form waits for conditions, some of which are looked at every 30 s. */
function formOf({ short, hold, rate }: DrillFlags): DrillForm {
  const pullsPerSecond = rate;
  if (short === true)
    return {
      name: 'short',
      calmMs: 2_000,
      holdMs: hold ?? 5_000,
      mostHoldMs: 0,
      mirrorMs: 40_000,
      pullsPerSecond,
    };
  const holdMs = hold ?? 12_000;
  // A refused copy is parked after six tries, which take up to 155 s.
  const mostHoldMs = Math.max(holdMs, 200_000);
  return { name: 'long', calmMs: 5_000, holdMs, mostHoldMs, mirrorMs: 40_000, pullsPerSecond };
}

async function programAt(name: string, given: string | undefined, path = ''): Promise<string | undefined> {
  if (given !== undefined && !(await isProgram(given)))
    throw new UsageError(`--${name} ${given} is not a program that can be run`);
  if (given !== undefined) return resolve(given);
  for (const folder of path.split(delimiter).filter((each) => each !== ''))
    if (await isProgram(join(folder, name))) return join(folder, name);
  return undefined;
}

async function besideAt({ beside }: DrillFlags): Promise<string | undefined> {
  if (beside === undefined || (await isProgram(beside))) return beside && resolve(beside);
  throw new UsageError(`--beside ${beside} is not a program that can be run`);
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function settingsIn(file: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--settings ${file} cannot be read: ${error.message}`);
  });
  const settings = jsonOrNone(text);
  if (isObject(settings)) return settings;
  throw new UsageError(`--settings ${file} is not an object in JSON`);
}
