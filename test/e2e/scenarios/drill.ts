import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DrillResult } from '../../../src/drill/drill.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scenario } from '../scenario.ts';

/** The drill, with real S3 and the shipped rules: its short form, with --long all of it. */
export const drill: Scenario = {
  name: 'drill',
  needs: ['versitygw', 'prometheus'],
  limitMs: 300_000,
  async play({ stage, isLong, fact, path }) {
    const output = join(stage.directory, 'drill.json');
    const programs = ['--versitygw', path('versitygw'), '--prometheus', path('prometheus')];
    const form = isLong ? [] : ['--short'];
    const { stderr } = await stage.run(
      process.execPath,
      [command, 'drill', ...form, ...programs, '-o', output],
      { mayFail: true, timeoutMs: isLong ? 3_000_000 : 290_000 },
    );
    const { outcomes }: DrillResult = JSON.parse(await readFile(output, 'utf8').catch(() => stderr));
    for (const { name, fault, skipped, objections } of outcomes)
      await fact(`${name}: ${fault}, and every bar is kept`, () => {
        assert.equal(skipped, undefined);
        assert.deepEqual(objections, []);
      });
  },
};
