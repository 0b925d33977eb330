import { html, type Markup } from '../parts/html.ts';
import { Empty, Meter, ofText, Panel, Pill, type Tone } from '../parts/pieces.ts';
import { type Column, Table } from '../parts/table.ts';
import { bytesText, countText, latencyText, plural } from '../parts/text.ts';
import type { StorageFigures, UpstreamFigures } from '../wire/messages.ts';

const breakers: Readonly<Record<string, readonly [Tone, string]>> = {
  closed: ['good', 'closed'],
  open: ['bad', 'open'],
  'half-open': ['warn', 'trying'],
};

const upstreamColumns: readonly Column<UpstreamFigures>[] = [
  {
    title: 'Upstream',
    cell: ({ name, url }) =>
      html`<strong>${name}</strong>${url !== name && html`<br /><small>${url}</small>`}`,
  },
  {
    title: 'Breaker',
    cell({ breaker }) {
      const [tone, word] = breakers[breaker] ?? ['calm', breaker];
      return html`<${Pill} tone=${tone}>${word}<//>`;
    },
  },
  { title: 'Median', isNumber: true, cell: ({ medianMs }) => latencyText(medianMs) },
  { title: '99 %', isNumber: true, cell: ({ slowestMs }) => latencyText(slowestMs) },
  { title: 'Requests', isNumber: true, cell: ({ requests }) => countText(requests) },
  { title: '429', isNumber: true, cell: ({ throttled }) => troubleText(throttled) },
  { title: '5xx', isNumber: true, cell: ({ failed }) => troubleText(failed) },
  { title: 'Silent', isNumber: true, cell: ({ silent }) => troubleText(silent) },
  { title: 'Resumed', isNumber: true, cell: ({ resumed }) => countText(resumed) },
  { title: 'Received', isNumber: true, cell: ({ receivedBytes }) => bytesText(receivedBytes) },
  { title: 'Limit', cell: ({ limits }) => limits ?? html`<span class="quiet">none told</span>` },
];

function troubleText(count: number): Markup {
  return count === 0 ? html`<span class="quiet">0</span>` : html`<strong>${countText(count)}</strong>`;
}

/** The upstreams that were asked, and the names of the others. */
export function UpstreamsPanel({ upstreams }: { readonly upstreams: readonly UpstreamFigures[] }): Markup {
  const used = upstreams.filter(({ requests, breaker }) => requests > 0 || breaker !== 'closed');
  const idle = upstreams.filter((each) => !used.includes(each));
  const note = idle.length === 0 ? undefined : `not asked yet: ${idle.map(({ name }) => name).join(', ')}`;
  return html`<${Panel} title="Upstreams" note=${note}>
    ${
      used.length === 0
        ? html`<${Empty} title="No upstream was asked since the start" />`
        : html`<${Table} label="Table of upstreams" columns=${upstreamColumns} rows=${used} keyOf=${({ name }: UpstreamFigures) => name} />`
    }
  <//>`;
}

const uses: Readonly<Record<StorageFigures['use'], string>> = {
  store: 'Store',
  disk: 'Disk before the bucket',
  spool: 'Spool',
};

/** How full store, disk and spool are. */
export function Storage({ storage }: { readonly storage: readonly StorageFigures[] }): Markup {
  return html`<ul class="storage">
    ${storage.map(({ use, bytes, blobs, maxBytes, diskBytes, diskFreeBytes }) => {
      const used = bytes ?? 0;
      const most = maxBytes ?? diskBytes;
      return html`<li key=${use}>
        <p><strong>${uses[use]}</strong> <span class="number">${ofText(bytes, maxBytes)}</span></p>
        <${Meter} label=${uses[use]} value=${used} most=${most} tone=${most !== undefined && used > most * 0.9 ? 'warn' : 'calm'} />
        <p class="note">
          ${blobs !== undefined && `${plural(blobs, 'blob')} · `}
          ${diskFreeBytes === undefined ? 'room is not bounded here' : `${bytesText(diskFreeBytes)} free on the file system`}
        </p>
      </li>`;
    })}
  </ul>`;
}
