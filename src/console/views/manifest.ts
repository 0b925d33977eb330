import { html, type Markup } from '../parts/html.ts';
import { Digest, Empty, Panel, Pill } from '../parts/pieces.ts';
import { type Column, Table } from '../parts/table.ts';
import { agoText, bytesText, timeText } from '../parts/text.ts';
import { addressOf } from '../wire/address.ts';

interface ShownPart {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
  readonly platform?: string;
  readonly usedAt?: number;
  readonly isManifest: boolean;
  readonly isStored: boolean;
  /** Tags of the repository that hold it, the latest last. */
  readonly tags: readonly string[];
}

/** A tag's manifest, or one by its digest, as `/console/content` has it. */
export interface ShownManifest {
  readonly digest: string;
  readonly mediaType?: string;
  readonly size?: number;
  readonly isStored: boolean;
  readonly usedAt?: number;
  readonly checkedAt?: number;
  readonly pin?: string;
  readonly history?: readonly { readonly digest: string; readonly from: number; readonly until: number }[];
  readonly parts: readonly ShownPart[];
}

interface ManifestProperties {
  readonly upstream: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly shown: ShownManifest;
}

/** The manifest, what it refers to, and what its tag meant before. */
export function ManifestPanels({ upstream, repository, tag, shown }: ManifestProperties): Markup {
  const { digest, mediaType, isStored, usedAt, checkedAt, pin, history = [], parts } = shown;
  const input = `${upstream}/${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`;
  const bytes = parts.reduce((sum, { size }) => sum + Math.max(0, size), 0);
  return html`
    <${Panel} title=${tag ?? 'Manifest'} note=${html`<a href=${addressOf('explain', { input })}>explain a pull of it</a>`}>
      <dl class="facts">
        <dt>Digest</dt><dd><${Digest} digest=${digest} /></dd>
        <dt>Type</dt><dd>${mediaType ?? 'not known'}</dd>
        <dt>Refers to</dt><dd>${bytesText(bytes)} in ${parts.length} parts</dd>
        <dt>Stored</dt><dd>${isStored ? 'yes' : 'no: the next pull fetches it'}</dd>
        <dt>Last used</dt><dd>${usedText(usedAt)}</dd>
        ${checkedAt !== undefined && html`<dt>Confirmed</dt><dd>${agoText(checkedAt)} by ${upstream}</dd>`}
        ${pin !== undefined && html`<dt>Pinned</dt><dd><${Pill} tone="good">by <code>${pin}</code><//> never evicted</dd>`}
      </dl>
    <//>
    <${Panel} title="Parts" note="config and layers, or the manifests of an index">
      ${
        parts.length === 0
          ? html`<${Empty} title="The manifest is not stored here" />`
          : html`<${Table} label="Parts of the manifest" columns=${columnsOf({ upstream, repository, tag })} rows=${parts} keyOf=${({ digest: key }: ShownPart) => key} />`
      }
    <//>
    ${
      history.length > 0 &&
      html`<${Panel} title="History" note="what the tag meant before">
      <ol class="history">
        ${history.map(
          ({ digest: former, from, until }) => html`<li key=${`${former}${from}`}>
            <${Digest} digest=${former} />
            <a href=${addressOf('content', { upstream, repository, digest: former })}>look</a>
            <span class="note">${timeText(from)} – ${timeText(until)}</span>
          </li>`,
        )}
      </ol>
    <//>`
    }
  `;
}

function columnsOf({
  upstream,
  repository,
  tag,
}: Omit<ManifestProperties, 'shown'>): readonly Column<ShownPart>[] {
  return [
    {
      title: 'Digest',
      cell: ({ digest, isManifest }) =>
        isManifest
          ? html`<${Digest} digest=${digest} /> <a href=${addressOf('content', { upstream, repository, digest })}>look</a>`
          : html`<${Digest} digest=${digest} />`,
    },
    { title: 'What', cell: ({ platform, mediaType = '' }) => platform ?? kindOf(mediaType) },
    { title: 'Size', isNumber: true, cell: ({ size }) => (size < 0 ? '–' : bytesText(size)) },
    { title: 'Stored', cell: ({ isStored }) => (isStored ? 'yes' : html`<span class="quiet">no</span>`) },
    { title: 'Last used', cell: ({ usedAt }) => usedText(usedAt) },
    {
      title: 'Also under',
      cell({ tags }) {
        const others = tags.filter((each) => each !== tag);
        return others.length === 0 ? html`<span class="quiet">no other tag</span>` : others.join(', ');
      },
    },
  ];
}

function kindOf(mediaType: string): string {
  if (mediaType.includes('config') || mediaType.includes('container.image.v1')) return 'config';
  if (mediaType.includes('layer') || mediaType.includes('rootfs')) return 'layer';
  return mediaType.replace('application/vnd.', '') || 'content';
}

function usedText(at: number | undefined): Markup {
  return at === undefined ? html`<span class="quiet">not on record</span>` : agoText(at);
}
