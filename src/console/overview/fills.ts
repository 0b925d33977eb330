import { html, type Markup } from '../parts/html.ts';
import { Digest, Empty, Meter, Panel } from '../parts/pieces.ts';
import { bytesText, percentText, plural, spanText } from '../parts/text.ts';
import type { ConsoleSections, FillFigures, TrafficFigures } from '../wire/messages.ts';

/** Downloads under way, with how far each has come. */
export function FillsPanel({
  fills = { shown: [], more: 0 },
  traffic,
}: {
  readonly fills?: ConsoleSections['fills'];
  readonly traffic: TrafficFigures;
}): Markup {
  const { shown, more } = fills;
  const count = shown.length + more;
  const note =
    count === 0
      ? undefined
      : `${plural(count, 'download')}, ${plural(traffic.waiting, 'request')} waiting for a slot`;
  return html`<${Panel} title="Downloads under way" note=${note}>
    ${
      count === 0
        ? html`<${Empty} title="Nothing is being downloaded">All that was asked for is here, or was not asked for.<//>`
        : html`<ul class="fills">${shown.map((fill) => html`<${FillItem} key=${`${fill.upstream}${fill.digest}`} ...${fill} />`)}</ul>`
    }
    ${more > 0 && html`<p class="note">and ${more} more</p>`}
  <//>`;
}

function FillItem({
  upstream,
  repository,
  digest,
  receivedBytes,
  size,
  seconds,
  requests,
  followed,
}: FillFigures): Markup {
  const speed = seconds > 0 ? receivedBytes / seconds : 0;
  const left = size !== undefined && speed > 0 ? ((size - receivedBytes) / speed) * 1000 : undefined;
  return html`<li>
    <p class="head">
      <strong>${upstream}/${repository}</strong>
      <span class="number">${size === undefined ? '' : percentText(receivedBytes / Math.max(1, size))}</span>
    </p>
    <${Meter} label=${`${upstream}/${repository}`} value=${receivedBytes} most=${size} />
    <p class="note">
      <${Digest} digest=${digest} />
      <span class="number">${bytesText(receivedBytes)}${size !== undefined && ` of ${bytesText(size)}`}</span>
      <span>${bytesText(speed)}/s</span>
      <span>${left === undefined ? 'size unknown' : `${spanText(left)} left`}</span>
      <span>${plural(requests, 'request')}</span>
      ${followed !== undefined && html`<span>by ${followed}</span>`}
    </p>
  </li>`;
}
