import { useEffect } from 'preact/hooks';
import { html, type Markup } from '../parts/html.ts';
import { Empty, Panel, Refusal, Waiting } from '../parts/pieces.ts';
import { agoText, timeText } from '../parts/text.ts';
import { ask } from '../wire/api.ts';
import { useAnswer } from './answer.ts';

/** A hold, as `/api/v1/mirrors/holds` has it. */
interface HoldItem {
  readonly destination: string;
  readonly since: string;
  readonly until?: string;
  readonly why?: string;
  readonly running: boolean;
}

interface HoldsProperties {
  readonly order: (what: string, asking: Promise<unknown>) => Promise<void>;
  /** What was ordered last: the holds may be others since. */
  readonly said: string;
}

/** The destinations that the mirror leaves as they are. */
export function HoldsPanel({ order, said }: HoldsProperties): Markup {
  const { value, error, again } = useAnswer<{ readonly holds: readonly HoldItem[] }>('api/v1/mirrors/holds');
  useEffect(again, [said]);
  const release = (destination: string) =>
    order(
      `${destination} is released.`,
      ask('api/v1/mirrors/release', { method: 'POST', body: { destination } }),
    );

  return html`<${Panel} title="Holds" note="destinations that the mirror leaves as they are">
    ${error !== undefined && html`<${Refusal} error=${error} />`}
    ${value === undefined && error === undefined && html`<${Waiting} />`}
    ${value?.holds.length === 0 && html`<${Empty} title="No destination is held" />`}
    <ul class="tasks">
      ${value?.holds.map(
        ({ destination, since, until, why, running }) => html`<li key=${destination}>
          <p class="head"><strong>${destination}</strong></p>
          ${why !== undefined && html`<p>${why}</p>`}
          <p class="note">
            <span>since ${agoText(Date.parse(since))}</span>
            <span>${until === undefined ? 'until it is released' : `until ${timeText(Date.parse(until))}`}</span>
            ${running && html`<span>a copy runs, and will not overwrite the tag</span>`}
          </p>
          <p class="actions">
            <button type="button" class="quiet" onClick=${() => release(destination)}>Release<span class="aside"> ${destination}</span></button>
          </p>
        </li>`,
      )}
    </ul>
  <//>`;
}
