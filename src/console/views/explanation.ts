import { html, type Markup } from '../parts/html.ts';
import { Panel, Pill, type Tone } from '../parts/pieces.ts';
import { agoText } from '../parts/text.ts';

/** A step, as `GET /explain` has it. */
export interface ExplainedStep {
  readonly number: number;
  readonly title: string;
  readonly mark: 'ok' | 'wrong' | 'unknown';
  readonly found: readonly string[];
  readonly decides?: boolean;
  readonly where?: string;
  readonly at?: string;
  readonly next?: {
    readonly do?: readonly string[];
    readonly steps?: readonly string[];
    readonly who: string;
  };
}

/** An explanation, as `GET /explain` has it. */
export interface ExplainedPull {
  readonly image: string;
  readonly subject?: string;
  readonly verdict: 'well' | 'wrong' | 'unknown';
  readonly notes: readonly string[];
  readonly steps: readonly ExplainedStep[];
}

const tones: Readonly<Record<ExplainedStep['mark'], Tone>> = { ok: 'good', wrong: 'bad', unknown: 'warn' };
const words: Readonly<Record<ExplainedStep['mark'], string>> = {
  ok: 'well',
  wrong: 'wrong',
  unknown: 'not known',
};
const verdicts: Readonly<Record<ExplainedPull['verdict'], readonly [Tone, string]>> = {
  well: ['good', 'nothing is wrong with it'],
  wrong: ['bad', 'something is wrong'],
  unknown: ['warn', 'it cannot be told'],
};

/** All steps; `stream` is what a file of a job says of the image stream. */
export function Explained({
  pull: { image, subject, verdict, notes, steps },
  stream,
}: {
  readonly pull: ExplainedPull;
  readonly stream: Omit<ExplainedStep, 'number' | 'title'> | undefined;
}): Markup {
  const [tone, word] = verdicts[verdict];
  const shown = steps.map((step) =>
    step.title === 'image stream' && stream !== undefined ? { ...step, ...stream } : step,
  );
  return html`<${Panel} title=${image} note=${subject === undefined ? undefined : `pulled by ${subject}`}>
    <p class="verdict"><${Pill} tone=${tone}>${word}<//></p>
    ${notes.length > 0 && html`<div>${notes.map((note) => html`<p class="note" key=${note}>${note}</p>`)}</div>`}
    <ol class="steps" start="0">
      ${shown.map((step) => html`<${StepItem} key=${step.title} ...${step} />`)}
    </ol>
  <//>`;
}

function StepItem({ title, mark, found, where, at, next, decides }: ExplainedStep): Markup {
  const commands = next?.do ?? next?.steps ?? [];
  const isQuiet = mark === 'unknown' && decides === false;
  const [first = '', ...rest] = found;
  return html`<li class=${isQuiet ? 'quiet' : mark}>
    <p class="head">
      <strong>${title}</strong>
      <${Pill} tone=${isQuiet ? 'calm' : tones[mark]}>${isQuiet ? 'not looked up' : words[mark]}<//>
    </p>
    <p>${first}</p>
    ${rest.map((line) => html`<p key=${line}>${line}</p>`)}
    ${where !== undefined && html`<p class="note">${where}${at !== undefined && `, ${agoText(Date.parse(at))}`}</p>`}
    ${
      mark === 'wrong' &&
      next !== undefined &&
      html`<div class="next"><p>Next, by ${next.who}:</p><pre>${commands.join('\n')}</pre></div>`
    }
  </li>`;
}
