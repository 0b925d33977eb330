import { html, type Markup } from '../parts/html.ts';
import { Panel, Pill, type Tone } from '../parts/pieces.ts';
import { clockText, plural, spanText } from '../parts/text.ts';
import type { ConsoleSections, ShownCondition } from '../wire/messages.ts';

const fromBad: ReadonlySet<string> = new Set(['Progressing', 'Degraded']);

function toneOf({ type, status }: ShownCondition): Tone {
  if (status === 'Unknown') return 'warn';
  const isBadWhenTrue = fromBad.has(type);
  if ((status === 'True') !== isBadWhenTrue) return 'good';
  return type === 'Progressing' ? 'warn' : 'bad';
}

/** The service's own conditions, and of its parts those that are not well. */
export function ConditionsPanel({ conditions, parts }: ConsoleSections['conditions']): Markup {
  const faulty = parts.filter((part) => toneOf(part) === 'bad' || part.pending !== undefined);
  return html`<${Panel} title="Conditions">
    <ul class="conditions">
      ${conditions.map(
        (each) => html`<li key=${each.type}>
          <p><${Pill} tone=${toneOf(each)}>${each.type} ${each.status}<//></p>
          <p>${each.message}</p>
          <p class="note">${each.reason} · for ${lastsText(each)}</p>
        </li>`,
      )}
    </ul>
    ${
      faulty.length === 0
        ? html`<p class="note">No part reports a fault.</p>`
        : html`<ul class="conditions faulty">${faulty.map((each) => html`<${PartCondition} ...${each} />`)}</ul>`
    }
    <details>
      <summary>${plural(parts.length, 'part')}</summary>
      <ul class="parts-list">
        ${parts.map(
          (each) => html`<li key=${keyOf(each)}>
            <${Pill} tone=${toneOf(each)}>${keyOf(each)}<//> <span>${each.message}</span>
          </li>`,
        )}
      </ul>
    </details>
  <//>`;
}

function PartCondition(part: ShownCondition): Markup {
  const { message, reason, pending } = part;
  return html`<li>
    <p><${Pill} tone=${pending === undefined ? toneOf(part) : 'warn'}>${keyOf(part)}<//></p>
    <p>${pending?.message ?? message}</p>
    <p class="note">
      ${pending?.reason ?? reason} ·
      ${
        pending === undefined
          ? ` for ${lastsText(part)}`
          : ` counts at ${clockText(Date.parse(pending.countsAt))} unless it ends`
      }
    </p>
  </li>`;
}

function lastsText({ lastTransitionTime }: ShownCondition): string {
  return spanText(Date.now() - Date.parse(lastTransitionTime));
}

function keyOf({ type, name }: ShownCondition): string {
  return name === undefined ? type : `${type} ${name}`;
}
