import { useState } from 'preact/hooks';
import { html, type Markup } from './html.ts';
import { bytesText, countText, percentText, shortDigest } from './text.ts';

/** How something is: a mark, a word and a colour, so that none of them is needed. */
export type Tone = 'good' | 'bad' | 'warn' | 'calm';

const marks: Readonly<Record<Tone, string>> = { good: '✓', bad: '✕', warn: '!', calm: '·' };

export function Pill({ tone, children }: { readonly tone: Tone; readonly children?: Markup }): Markup {
  return html`<span class=${`pill ${tone}`}><span aria-hidden="true">${marks[tone]}</span> ${children}</span>`;
}

/** A part of a view with a heading. */
export function Panel({
  title,
  note,
  children,
  wide = false,
}: {
  readonly title: string;
  readonly note?: Markup;
  readonly children?: Markup;
  readonly wide?: boolean;
}): Markup {
  const id = `panel-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return html`<section class=${`panel${wide ? ' wide' : ''}`} aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${note !== undefined && html`<p class="note">${note}</p>`}</header>
    ${children}
  </section>`;
}

/** One figure, large. */
export function Tile({
  label,
  value,
  note,
}: {
  readonly label: string;
  readonly value: Markup;
  readonly note?: Markup;
}): Markup {
  return html`<div class="tile"><dt>${label}</dt><dd class="value">${value}</dd><dd class="note">${note}</dd></div>`;
}

/** What is shown where there is nothing, and why. */
export function Empty({ title, children }: { readonly title: string; readonly children?: Markup }): Markup {
  return html`<div class="empty"><p class="what">${title}</p>${children !== undefined && html`<p>${children}</p>`}</div>`;
}

/** While an answer is waited for. */
export function Waiting({ children = 'Asking the server …' }: { readonly children?: Markup }): Markup {
  return html`<p class="waiting" role="status">${children}</p>`;
}

/** A failure in the server's words. */
export function Refusal({ error }: { readonly error: Error }): Markup {
  return html`<p class="refusal" role="alert">${error.message}</p>`;
}

/** How much of a whole. */
export function Meter({
  label,
  value,
  most,
  tone = 'calm',
}: {
  readonly label: string;
  readonly value: number;
  readonly most: number | undefined;
  readonly tone?: Tone;
}): Markup {
  const known = most === undefined || most <= 0 ? {} : { value: Math.min(value, most), max: most };
  return html`<progress class=${tone} aria-label=${label} ...${known}></progress>`;
}

const named: Readonly<Record<string, string>> = {
  memory: 'memory',
  store: 'store',
  joined: 'a download under way',
  member: 'another replica',
  redirect: 'the bucket itself',
  fill: 'upstream, and kept',
  upstream: 'upstream, not kept',
  stale: 'store, though old',
  bypass: 'upstream, past the cache',
};

/** Parts of a whole, as one bar with a legend. */
export function Parts({
  label,
  parts,
}: {
  readonly label: string;
  readonly parts: Readonly<Record<string, number>>;
}): Markup {
  const shown = Object.entries(parts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one);
  const all = shown.reduce((sum, [, count]) => sum + count, 0);
  if (all === 0) return html`<${Empty} title="None yet" />`;
  return html`<div class="parts">
    <svg class="strip" role="img" aria-label=${label} viewBox="0 0 1000 10" preserveAspectRatio="none">
      ${strips(shown, all).map(
        ({ name, x, width }) =>
          html`<rect key=${name} class=${`part ${name}`} x=${x} y="0" width=${width} height="10" />`,
      )}
    </svg>
    <ul>
      ${shown.map(
        ([name, count]) => html`<li key=${name}>
          <span class=${`swatch part ${name}`} aria-hidden="true"></span>
          <span>${named[name] ?? name}</span>
          <span class="number">${countText(count)}</span>
          <span class="number quiet">${percentText(count / all)}</span>
        </li>`,
      )}
    </ul>
  </div>`;
}

function strips(parts: readonly (readonly [string, number])[], all: number) {
  let x = 0;
  return parts.map(([name, count]) => {
    const width = (1000 * count) / all;
    const strip = { name, x, width: Math.max(width - 2, 1) };
    x += width;
    return strip;
  });
}

/** A digest, short, which can be copied whole. */
export function Digest({ digest }: { readonly digest: string }): Markup {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(digest).catch(() => undefined);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<button type="button" class="digest" title=${`Copy ${digest}`} onClick=${copy}>
    ${isCopied ? 'copied' : shortDigest(digest)}
  </button>`;
}

/** `3.1 GB of 20 GB` */
export function ofText(bytes: number | undefined, most: number | undefined): string {
  if (bytes === undefined) return 'not measured yet';
  return most === undefined ? bytesText(bytes) : `${bytesText(bytes)} of ${bytesText(most)}`;
}
