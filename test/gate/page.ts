import type { DrillOutcome, FaultLayer } from '../../src/drill/drill.ts';
import { drills } from '../../src/drill/table/table.ts';

/** One part of the release gate, as it ended. */
export interface GateStep {
  readonly name: 'drill' | 'conformance' | 'fuzz';
  readonly isPassed: boolean;
  readonly tookMs: number;
  /** Its last words: one line, or of a failure more. */
  readonly said: readonly string[];
}

/** The page: a verdict, a row for each part, the words of what failed, the page of the drill. */
export function gatePage(steps: readonly GateStep[], drill: string, at: string): string {
  const failed = steps.filter(({ isPassed }) => !isPassed);
  const rows = steps.map(
    ({ name, isPassed, tookMs, said }) =>
      `| ${name} | ${isPassed ? 'passed' : '**failed**'} | ${Math.round(tookMs / 1000)} s | ${isPassed ? (said[0] ?? '') : 'see below'} |`,
  );
  return [
    `# Release gate: ${failed.length === 0 ? 'passed' : 'failed'}`,
    `${at.slice(0, 16).replace('T', ' ')} UTC`,
    ['| | | | |', '|---|---|---|---|', ...rows].join('\n'),
    ...failed.map(({ name, said }) => `## ${name}\n\n\`\`\`\n${said.join('\n')}\n\`\`\``),
    drill.replace(/^#/gm, '##').trimEnd(),
    '',
  ].join('\n\n');
}

/** The layers of which no drill was played: a release needs one of each at least. */
function unplayedLayers(outcomes: readonly Pick<DrillOutcome, 'layer' | 'skipped'>[]): FaultLayer[] {
  const played = new Set(outcomes.filter(({ skipped }) => skipped === undefined).map(({ layer }) => layer));
  return [...new Set(drills.map(({ layer }) => layer))].filter((layer) => !played.has(layer));
}

/** The step of the drill, failed where a layer was not played. */
export function withAllLayers(step: GateStep, outcomes: Parameters<typeof unplayedLayers>[0]): GateStep {
  const unplayed = unplayedLayers(outcomes);
  if (step.name !== 'drill' || unplayed.length === 0) return step;
  const sentence = `No drill was played of: ${unplayed.join(', ')}. The page of the drill says why.`;
  return { ...step, isPassed: false, said: [...step.said, sentence] };
}
