import { html, type Markup } from '../parts/html.ts';
import { Panel, Refusal, Waiting } from '../parts/pieces.ts';
import { useAnswer } from './answer.ts';

type ShownSettings = Readonly<Record<string, unknown>>;

/** The configuration in force: what the file says, and the defaults of all else. */
export function SettingsView(): Markup {
  const { value, error } = useAnswer<{ readonly settings: ShownSettings }>('console/settings');
  return html`<${Panel} title="Configuration in force" note="with defaults, without secrets; sizes in bytes, times in ms">
    ${error !== undefined && html`<${Refusal} error=${error} />`}
    ${value === undefined && error === undefined && html`<${Waiting} />`}
    ${value !== undefined && html`<div class="settings">${sectionsOf(value.settings)}</div>`}
  <//>`;
}

function sectionsOf(settings: ShownSettings): Markup {
  const plain = Object.entries(settings).filter(([, value]) => !isGroup(value));
  const groups = Object.entries(settings).filter(([, value]) => isGroup(value));
  return html`
    ${plain.length > 0 && html`<dl class="facts">${plain.map(([name, value]) => html`<dt>${name}</dt><dd><code>${wordOf(value)}</code></dd>`)}</dl>`}
    ${groups.map(
      ([name, value]) => html`<details key=${name} open=${Object.keys(value as object).length < 4}>
        <summary>${name}</summary>
        ${sectionsOf(value as ShownSettings)}
      </details>`,
    )}
  `;
}

/** What has names below it; a list of plain values stands in one line. */
function isGroup(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((item) => typeof item === 'object');
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function wordOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  if (typeof value === 'object') return 'none';
  return typeof value === 'number' ? value.toLocaleString('en') : String(value);
}
