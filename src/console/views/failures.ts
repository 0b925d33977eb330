// Room `console/views`: the views but for the first. In: what the server told, and the address.
// Out: the page's content. Imports: console/parts, console/wire.

import { useState } from 'preact/hooks';
import { html, type Markup } from '../parts/html.ts';
import { Empty, Panel, Waiting } from '../parts/pieces.ts';
import { agoText, clockText } from '../parts/text.ts';
import { addressOf } from '../wire/address.ts';
import { useLive } from '../wire/live.ts';
import type { FailureFigures } from '../wire/messages.ts';

/** The last 200 failures, each with its sentence and the way to its explanation. */
export function FailuresView(): Markup {
  const { sections } = useLive();
  const [filter, setFilter] = useState('');
  const { failures } = sections;
  if (failures === undefined) return html`<${Waiting} />`;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = failures.filter((failure) => {
    const text = JSON.stringify(failure).toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return html`<${Panel} title="Failures" note="the last 200 requests that failed, of this process">
    <form class="search" role="search" onSubmit=${(event: Event) => event.preventDefault()}>
      <label for="failure-filter">Filter</label>
      <input
        id="failure-filter"
        type="search"
        placeholder="repository, subject, status, upstream"
        value=${filter}
        onInput=${({ currentTarget }: { currentTarget: HTMLInputElement }) => setFilter(currentTarget.value)}
      />
    </form>
    <${FailureList} failures=${shown} hasFilter=${words.length > 0} />
  <//>`;
}

/** The latest first. */
export function FailureList({
  failures,
  hasFilter = false,
}: {
  readonly failures: readonly FailureFigures[];
  readonly hasFilter?: boolean;
}): Markup {
  if (failures.length === 0)
    return hasFilter
      ? html`<${Empty} title="No failure says that" />`
      : html`<${Empty} title="No request has failed">Since the start of the server, or of what it remembers.<//>`;
  return html`<ol class="failures">
    ${failures.toReversed().map((failure) => html`<${FailureItem} key=${failure.id} ...${failure} />`)}
  </ol>`;
}

function FailureItem({
  id,
  at,
  method,
  path,
  host,
  status,
  error,
  message,
  upstream,
  subject,
  cause,
}: FailureFigures): Markup {
  return html`<li>
    <p class="head">
      <span class=${`status s${String(status).charAt(0)}`}>${status}</span>
      <a href=${addressOf('explain', { input: id })}>${message.replace(/ \(request [\w.-]+\)$/, '')}</a>
    </p>
    <p class="path"><code>${method} ${path}</code></p>
    <p class="note">
      <time datetime=${new Date(at).toISOString()} title=${clockText(at)}>${agoText(at)}</time>
      ${error !== undefined && html`<span>${error}</span>`}
      ${upstream !== undefined && html`<span>${upstream}</span>`}
      ${host !== '' && html`<span>host ${host}</span>`}
      ${subject !== undefined && html`<span>${subject}</span>`}
      ${cause !== undefined && html`<span>cause: ${cause}</span>`}
    </p>
  </li>`;
}
