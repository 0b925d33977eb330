import { html, type Markup } from '../parts/html.ts';
import { Digest, Empty, Meter, Panel, Refusal, Waiting } from '../parts/pieces.ts';
import { type Column, Table } from '../parts/table.ts';
import { agoText, bytesText, countText, plural } from '../parts/text.ts';
import { addressOf, type PageAddress } from '../wire/address.ts';
import { useAnswer } from './answer.ts';

interface EvictedPiece {
  readonly digest: string;
  readonly size: number;
  readonly usedAt: number;
  readonly reason: string;
  readonly isManifest: boolean;
  readonly name?: string;
}

interface EvictionAnswer {
  readonly ofBytes: number;
  readonly isLimited: boolean;
  readonly blobs: number;
  readonly bytes: number;
  readonly afterBytes: number;
  readonly gone: number;
  readonly kept?: Readonly<Record<'pinned' | 'inUse' | 'young' | 'referenced' | 'spare', number>>;
  readonly oldestUse: number | null;
  readonly latestUse: number;
  readonly shown: readonly EvictedPiece[];
}

const choices = ['90', '80', '60', '40', '20'] as const;

const columns: readonly Column<EvictedPiece>[] = [
  {
    title: 'Content',
    cell: ({ name, digest }) =>
      html`${name !== undefined && html`<strong>${name}</strong><br />`}<${Digest} digest=${digest} />`,
  },
  { title: 'Kind', cell: ({ isManifest }) => (isManifest ? 'manifest' : 'blob') },
  { title: 'Size', isNumber: true, cell: ({ size }) => bytesText(size) },
  { title: 'Last used', cell: ({ usedAt }) => agoText(usedAt) },
  { title: 'Why', cell: ({ reason }) => reason },
];

/** What would be evicted if the store held less: the plan itself, of which nothing is done. */
export function EvictionView({ parameters }: Pick<PageAddress, 'parameters'>): Markup {
  const percent = choices.find((choice) => choice === parameters.get('percent')) ?? '80';
  const { value, error } = useAnswer<EvictionAnswer>(`console/eviction?percent=${percent}`);
  return html`<${Panel} title="Eviction" note="what would go next; nothing is deleted by looking">
    <nav class="tabs" aria-label="Size of the store">
      ${choices.map(
        (
          choice,
        ) => html`<a key=${choice} href=${addressOf('eviction', { percent: choice })} aria-current=${choice === percent ? 'page' : undefined}>
          ${choice} %
        </a>`,
      )}
    </nav>
    ${error !== undefined && html`<${Refusal} error=${error} />`}
    ${value === undefined && error === undefined && html`<${Waiting}>Walking through the store …<//>`}
    ${value !== undefined && html`<${Plan} ...${value} percent=${percent} />`}
  <//>`;
}

function Plan(answer: EvictionAnswer & { readonly percent: string }): Markup {
  const { percent, ofBytes, isLimited, blobs, bytes, afterBytes, gone, kept, oldestUse, latestUse, shown } =
    answer;
  const target = (ofBytes * Number(percent)) / 100;
  const size = isLimited
    ? `eviction.maxBytes, ${bytesText(ofBytes)}`
    : `what it holds now, ${bytesText(ofBytes)}`;
  return html`
    <p>The store holds <strong>${bytesText(bytes)}</strong> in ${plural(blobs, 'piece')}. At ${percent} % of ${size}, it would hold ${bytesText(target)}.</p>
    <${Meter} label="Part of the store that stays" value=${afterBytes} most=${Math.max(bytes, 1)} />
    ${
      gone === 0
        ? html`<${Empty} title="Nothing would go">${bytes <= target ? 'The store holds less than that.' : 'All of it is protected.'}<//>`
        : html`<p>
            <strong>${plural(gone, 'piece')}</strong> would go, <strong>${bytesText(bytes - afterBytes)}</strong>,
            last used between ${agoText(oldestUse ?? 0)} and ${agoText(latestUse)}.
          </p>`
    }
    ${kept !== undefined && html`<${Kept} ...${kept} />`}
    ${afterBytes > target && html`<p class="refusal">Protected content keeps the store above that: ${bytesText(afterBytes)} would stay.</p>`}
    ${shown.length > 0 && html`<${Table} label="What would go first" columns=${columns} rows=${shown} keyOf=${({ digest }: EvictedPiece) => digest} />`}
    ${gone > shown.length && html`<p class="note">and ${countText(gone - shown.length)} more</p>`}
  `;
}

function Kept({ pinned, inUse, young, referenced, spare }: NonNullable<EvictionAnswer['kept']>): Markup {
  return html`<dl class="facts">
    <dt>Pinned</dt><dd>${countText(pinned)}</dd>
    <dt>In use now</dt><dd>${countText(inUse)}</dd>
    <dt>Used within 20 min</dt><dd>${countText(young)}</dd>
    <dt>Referenced by what stays</dt><dd>${countText(referenced)}</dd>
    <dt>Later in turn</dt><dd>${countText(spare)}</dd>
  </dl>`;
}
