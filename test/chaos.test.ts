import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { damageFiles, damageObjects, filesOf, garbleBlobs, garbleObjects } from './chaos/damage.ts';
import { type ChaosOptions, chaos, type Medium } from './chaos/run.ts';
import { changeS3Weather, clearS3Weather } from './chaos/weather.ts';
import { s3Double } from './support/s3-double.ts';

/** `QUAYSIDE_CHAOS_SEED=<number>` repeats a run, up to the order of events. */
const seed = Number(process.env['QUAYSIDE_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
/** Milliseconds for each of the two; longer runs find rarer things. */
const wallMs = Number(process.env['QUAYSIDE_CHAOS_MS'] ?? 2_500);

/** Files, which are deleted, cut off and garbled, in directories that break. */
function files(directory: string): Medium {
  const store = join(directory, 'store');
  return {
    settings: { store: { filesystem: { path: store } } },
    harm: (random) => damageFiles(random, store),
    heal: () => {},
    harmAtRest: (random) => garbleBlobs(random, store),
    leftovers: () => filesOf(join(store, 'tmp')),
  };
}

/** A bucket that loses and cuts off objects, behind a server that has its moods. */
async function bucket(t: Test, directory: string): Promise<Medium> {
  const s3 = await s3Double();
  t.teardown(s3.close);
  const [accessKeyIdFile, secretAccessKeyFile] = [join(directory, 'id'), join(directory, 'secret')];
  for (const file of [accessKeyIdFile, secretAccessKeyFile]) await writeFile(file, 'for the double only');
  return {
    settings: {
      store: {
        s3: { bucket: 'b', endpoint: s3.endpoint, pathStyle: true, accessKeyIdFile, secretAccessKeyFile },
      },
    },
    async harm(random) {
      changeS3Weather(random, s3);
      damageObjects(random, s3.objects);
    },
    heal: () => clearS3Weather(s3.switches),
    harmAtRest: async (random) => garbleObjects(random, s3.objects),
    leftovers: async () => [...s3.uploads.values()].map(({ key }) => key),
  };
}

async function holds(t: Test, medium: ChaosOptions['medium']): Promise<void> {
  const { actions, faults } = await chaos(t, { seed, wallMs, medium });
  t.comment(`${actions} actions; QUAYSIDE_CHAOS_SEED=${seed} repeats them`);
  // Each fault is a name of its own: a summary of the run shows the names alone.
  for (const fault of faults) t.fail(fault);
  t.equal(faults.length, 0, `seed ${seed}: no rule is broken in ${actions} actions`);
}

test('with files behind it, every answer is right or a clear refusal, whatever happens', (t) =>
  holds(t, files));

test('with S3 behind it, every answer is right or a clear refusal, whatever happens', (t) =>
  holds(t, (directory) => bucket(t, directory)));
