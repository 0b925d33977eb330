import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { pruningTags } from '../../../src/cli/prune/tags.ts';
import { type QuayDouble, quayDouble, quayToken } from '../../support/quay-double.ts';
import { sized } from '../../support/sized.ts';
import { recordedIo } from '../io.ts';

const now = Date.parse('2026-11-29T12:00:00Z');
/** With PRUNE_TAGS=50000 it takes a minute. */
const total = Number(process.env['PRUNE_TAGS'] ?? sized(2_400, 5_000));
const prunable = total / 5;

function digestFor(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function* namesOf(count: number, first: number, stepMs: number, label: string): Generator<[string, string]> {
  for (let index = 0; index < count; index += 1) {
    const digits = new Date(first + index * stepMs).toISOString().replace(/\D/g, '').slice(0, 14);
    const tag = `${digits}_prune_ocp_4.20_${label}-${index}`;
    yield [tag, digestFor(tag)];
  }
}

/** A fifth of all tags is old enough, an eighth is too young, the others are floats. */
function filled(quay: QuayDouble): void {
  const start = Date.parse('2026-06-01T00:00:00Z');
  quay.addTags(namesOf(prunable, start, (Date.parse('2026-11-20T00:00:00Z') - start) / prunable, 'old'));
  quay.addTags(namesOf(total / 8, Date.parse('2026-11-25T00:00:00Z'), 1_000, 'young'));
  const floats = total - prunable - total / 8;
  quay.addTags(
    Array.from(
      { length: floats },
      (_, index) => [`ocp_4.20_component-${index}`, digestFor(`f${index}`)] as const,
    ),
  );
}

async function quayRig(t: Test) {
  const quay = await quayDouble();
  t.teardown(() => quay.close());
  const dir = t.testdir({ 'auth.json': '{}', token: `${quayToken}\n` });
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);
  async function run(at: number, ...args: string[]) {
    const io = recordedIo();
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const words = [
      '--insecure',
      '--no-streams',
      '--config',
      config,
      '--token-file',
      join(dir, 'token'),
      ...args,
    ];
    quay.counts.clear();
    const code = await pruningTags(() => at)([...words, `${quay.host}/openshift/ci`], { ...io, env });
    return { code, out: io.out(), err: io.err(), counts: Object.fromEntries(quay.counts) };
  }
  return { quay, run, dir };
}

const kept = (quay: QuayDouble, label: string): number =>
  [...quay.tags.keys()].filter((tag) => tag.includes(`_${label}-`)).length;

test('among 429s and failing deletions all other old tags are gone, and the rest at the next run', async (t) => {
  const { quay, run } = await quayRig(t);
  filled(quay);
  const failing = new Set([...quay.tags.keys()].filter((tag) => /_old-\d*[02468]7$/.test(tag)));
  quay.switches.failsDelete = (tag) => (failing.has(tag) ? 500 : undefined);
  quay.switches.throttlesEvery = 97;
  const startedAt = performance.now();
  const { code, out, err, counts } = await run(now, '--confirm', '--max-per-registry', '50');
  t.comment(`${JSON.stringify(counts)} in ${Math.round(performance.now() - startedAt)} ms`);
  t.equal(code, 1, err.slice(0, 500));
  t.equal(kept(quay, 'old'), failing.size);
  t.equal(kept(quay, 'young'), total / 8);
  t.match(out, `Failed to delete ${failing.size} objects.`);
  quay.switches.failsDelete = () => undefined;
  const again = await run(now, '--confirm');
  t.equal(again.code, 0, again.err.slice(0, 500));
  t.equal(kept(quay, 'old'), 0);
});

test('a later run lists what has become old since, and no more', async (t) => {
  const { quay, run } = await quayRig(t);
  filled(quay);
  await run(now, '--confirm');
  quay.addTags(namesOf(total / 100, Date.parse('2026-11-23T12:00:00Z'), 1_000, 'new'));
  const { code, counts } = await run(now + 86_400_000, '--confirm');
  t.equal(code, 0);
  t.equal(kept(quay, 'new'), 0);
  const whole = Math.ceil(total / 100);
  t.comment(`${counts['list']} pages beside ${whole} of a whole listing`);
  t.ok((counts['list'] ?? 0) * 3 < whole, `${counts['list']} pages`);
});

test('a wrong token deletes nothing, and says so', async (t) => {
  const { quay, run, dir } = await quayRig(t);
  quay.addTags(namesOf(3, Date.parse('2026-06-01T00:00:00Z'), 1_000, 'old'));
  await writeFile(join(dir, 'token'), 'another');
  t.match(await run(now, '--confirm'), { code: 1, err: /cannot delete .*it answers 401/ });
  t.equal(kept(quay, 'old'), 3);
});
