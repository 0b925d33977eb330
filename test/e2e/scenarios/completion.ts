import assert from 'node:assert/strict';
import { completedLines } from '../../cli/help/completed-lines.ts';
import { shells } from '../fixtures/shells.ts';
import type { Scenario } from '../scenario.ts';

/** `quayside completion`, in the shells themselves. */
export const completion: Scenario = {
  name: 'completion',
  needs: ['bash', 'zsh', 'fish'],
  async play(scene) {
    const { fact } = scene;
    const { offered, typed } = await shells(scene);
    for (const shell of ['zsh', 'fish'] as const)
      await fact(`${shell} offers commands, options, words and files`, async () => {
        for (const [line, expected] of completedLines)
          assert.deepEqual((await offered(shell, line)).toSorted(), expected.toSorted(), line);
      });
    for (const shell of ['bash', 'zsh'] as const)
      await fact(`Tab in an interactive ${shell} completes a command line that runs`, async () => {
        const shown = await typed(shell, 'quayside mirr\tver\t--dee\t-f sett\t--output=js\t\nexit\n');
        assert.match(shown, /ran <mirror> <verify> <--deep> <-f> <settings\.yaml> <--output=json>/);
      });
  },
};
