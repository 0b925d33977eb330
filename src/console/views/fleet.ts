import { html, type Markup } from '../parts/html.ts';
import { Empty, Meter, Panel, Pill, Tile } from '../parts/pieces.ts';
import { type Column, Table } from '../parts/table.ts';
import { bytesText, countText, percentText, plural } from '../parts/text.ts';
import { useLive } from '../wire/live.ts';
import type { FleetFigures } from '../wire/messages.ts';

type Member = FleetFigures['members'][number];

const columns: readonly Column<Member>[] = [
  { title: 'Member', cell: ({ name }) => html`<strong>${name}</strong>` },
  {
    title: 'State',
    cell: ({ isLive }) =>
      isLive ? html`<${Pill} tone="good">answers<//>` : html`<${Pill} tone="bad">left alone<//>`,
  },
  { title: 'Owns', isNumber: true, cell: ({ share }) => percentText(share) },
  {
    title: 'Of all content',
    cell: ({ name, share }) => html`<${Meter} label=${`Share of ${name}`} value=${share} most=${1} />`,
  },
  { title: 'Downloads here', isNumber: true, cell: ({ owned }) => countText(owned) },
];

/** The members as this one sees them, and how often a byte came from an upstream. */
export function FleetView(): Markup {
  const { fleet } = useLive().sections;
  if (fleet === undefined)
    return html`<${Panel} title="Fleet"><${Empty} title="This process is alone">Replicas that share one upstream link are a fleet: see <code>fleet</code> in the settings.<//><//>`;
  const { self, members, receivedBytes, storedBytes, fromMembersBytes, toMembersBytes, failures, takeovers } =
    fleet;
  const amplification = storedBytes > 0 ? (receivedBytes / storedBytes).toFixed(2) : '–';
  return html`
    <dl class="tiles">
      <${Tile} label="Amplification" value=${amplification} note="bytes from upstreams for each byte stored, here" />
      <${Tile} label="From members" value=${bytesText(fromMembersBytes)} note=${`${bytesText(toMembersBytes)} to them`} />
      <${Tile} label="Taken over" value=${countText(takeovers)} note=${`${plural(failures, 'question')} without an answer`} />
    </dl>
    <${Panel} title="Members" note=${`as ${self} sees them`}>
      <${Table} label="Table of members" columns=${columns} rows=${members} keyOf=${({ name }: Member) => name} />
    <//>
  `;
}
