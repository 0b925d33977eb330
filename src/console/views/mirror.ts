import { useEffect, useState } from 'preact/hooks';
import { html, type Markup } from '../parts/html.ts';
import { Empty, Panel, Pill, Refusal, type Tone, Waiting } from '../parts/pieces.ts';
import { agoText, countText, plural } from '../parts/text.ts';
import { addressOf, type PageAddress } from '../wire/address.ts';
import { ask, withQuery } from '../wire/api.ts';
import { useLive } from '../wire/live.ts';
import type { MirrorFigures } from '../wire/messages.ts';
import { useAnswer } from './answer.ts';
import { HoldsPanel } from './holds.ts';

/** A task, as `/api/v1/mirrors` has it. */
interface ShownCopy {
  readonly source: string;
  readonly destination: string;
  readonly created_at: string;
  readonly owner: string;
  readonly state: 'waiting' | 'running' | 'parked';
  readonly attempts: number;
  readonly not_before?: string;
  readonly failure?: { readonly kind: string; readonly reason: string; readonly at: string };
}

interface ShownCopies {
  readonly mirrors: readonly ShownCopy[] | null;
  readonly total: number;
}

const states = ['parked', 'running', 'waiting'] as const;
const tones: Readonly<Record<ShownCopy['state'], Tone>> = { parked: 'bad', running: 'good', waiting: 'calm' };
const mostShown = 100;

/** The queue of the mirror by state, and what an operator may do about it. */
export function MirrorView({ parameters }: Pick<PageAddress, 'parameters'>): Markup {
  const { sections } = useLive();
  const { mirror } = sections;
  const chosen = states.find((state) => state === parameters.get('state')) ?? firstState(mirror);
  const path = withQuery('api/v1/mirrors', { action: 'show', state: chosen, limit: String(mostShown) });
  const { value, error, again } = useAnswer<ShownCopies>(path);
  const [said, setSaid] = useState('');
  const [refused, setRefused] = useState<Error>();
  const counts = mirror === undefined ? '' : states.map((state) => mirror[state]).join();
  useEffect(again, [counts]);

  const order = async (what: string, asking: Promise<unknown>) => {
    setRefused(undefined);
    await asking.then(() => setSaid(what)).catch(setRefused);
    again();
  };
  const retry = (destination?: string) =>
    order(
      destination === undefined ? 'All parked copies are tried again.' : `${destination} is tried again.`,
      ask('api/v1/mirrors/retry', { method: 'POST', body: destination === undefined ? {} : { destination } }),
    );
  const drop = (destination: string) =>
    confirm(`Drop the copy to ${destination}? It is queued again when its source changes.`) &&
    order(
      `${destination} is dropped.`,
      ask(withQuery('api/v1/mirrors', { destination }), { method: 'DELETE' }),
    );
  const hold = (destination: string) => {
    const why = prompt(`Hold ${destination}: the mirror leaves it as it is. Why?`);
    if (why === null) return undefined;
    const body = { destination, ...(why === '' ? {} : { why }) };
    return order(`${destination} is held.`, ask('api/v1/mirrors/hold', { method: 'POST', body }));
  };

  return html`
    <${Panel} title="Mirror" note=${leaseText(mirror)}>
      <nav class="tabs" aria-label="States of copies">
        ${states.map(
          (
            state,
          ) => html`<a key=${state} href=${addressOf('mirror', { state })} aria-current=${state === chosen ? 'page' : undefined}>
            ${state} <span class="number">${mirror === undefined ? '' : countText(mirror[state])}</span>
          </a>`,
        )}
      </nav>
      <p class="said" role="status">${said}</p>
      ${refused !== undefined && html`<${Refusal} error=${refused} />`}
      ${error !== undefined && html`<${Refusal} error=${error} />`}
      ${value === undefined && error === undefined && html`<${Waiting} />`}
      ${value !== undefined && html`<${Queue} ...${{ ...value, state: chosen, retry, drop, hold }} />`}
    <//>
    <${HoldsPanel} order=${order} said=${said} />
  `;
}

function firstState(mirror: MirrorFigures | undefined): ShownCopy['state'] {
  return states.find((state) => (mirror?.[state] ?? 0) > 0) ?? 'waiting';
}

function leaseText(mirror: MirrorFigures | undefined): string {
  if (mirror === undefined) return '';
  if (mirror.lease === 'held') return 'this process copies';
  return mirror.lease === 'waiting'
    ? 'another process copies; it shows the queue'
    : 'whose turn it is cannot be told';
}

interface QueueProperties extends ShownCopies {
  readonly state: ShownCopy['state'];
  readonly retry: (destination?: string) => void;
  readonly drop: (destination: string) => void;
  readonly hold: (destination: string) => void;
}

function Queue({ mirrors, total, state, retry, drop, hold }: QueueProperties): Markup {
  const items = mirrors ?? [];
  if (items.length === 0)
    return html`<${Empty} title=${`No copy is ${state}`}>${state === 'parked' ? 'None waits for an operator.' : undefined}<//>`;
  return html`
    ${
      state === 'parked' &&
      html`<p class="actions"><button type="button" onClick=${() => retry()}>Retry all ${countText(total)}</button></p>`
    }
    <ul class="tasks">
      ${items.map(
        (item) => html`<li key=${item.destination}>
          <p class="head"><strong>${item.destination}</strong> <${Pill} tone=${tones[item.state]}>${item.state}<//></p>
          <p class="path"><code>from ${item.source}</code></p>
          ${item.failure !== undefined && html`<p>${item.failure.reason}</p>`}
          <p class="note">
            <span>${plural(item.attempts, 'try', 'tries')}</span>
            <span>queued ${agoText(Date.parse(item.created_at))} by ${item.owner}</span>
            ${item.failure !== undefined && html`<span>${item.failure.kind}, ${agoText(Date.parse(item.failure.at))}</span>`}
          </p>
          <p class="actions">
            ${item.state === 'parked' && html`<button type="button" onClick=${() => retry(item.destination)}>Retry<span class="aside"> ${item.destination}</span></button>`}
            ${item.failure?.kind !== 'held' && html`<button type="button" class="quiet" onClick=${() => hold(item.destination)}>Hold<span class="aside"> ${item.destination}</span></button>`}
            ${item.state !== 'running' && html`<button type="button" class="quiet" onClick=${() => drop(item.destination)}>Drop<span class="aside"> ${item.destination}</span></button>`}
          </p>
        </li>`,
      )}
    </ul>
    ${total > items.length && html`<p class="note">and ${countText(total - items.length)} more</p>`}
  `;
}
