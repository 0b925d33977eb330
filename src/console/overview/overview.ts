// Room `console/overview`: what the service does now, at a glance. In: what the server told. Out:
// the first view of the page. Imports: console/parts, console/views, console/wire.

import { html, type Markup } from '../parts/html.ts';
import { Panel, Parts, Tile, Waiting } from '../parts/pieces.ts';
import { bytesText, countText, percentText, plural, rateText } from '../parts/text.ts';
import { FailureList } from '../views/failures.ts';
import { addressOf } from '../wire/address.ts';
import { useLive } from '../wire/live.ts';
import type { ConsoleSections, HistoryPoint, ServiceFigures, TrafficFigures } from '../wire/messages.ts';
import { ConditionsPanel } from './conditions.ts';
import { FillsPanel } from './fills.ts';
import { BytesChart, HitChart, lastHour } from './history.ts';
import { Storage, UpstreamsPanel } from './upstreams.ts';

const shownFailures = 5;

/** What the service does now, at a glance. */
export function OverviewView(): Markup {
  const { sections } = useLive();
  const { conditions, traffic, history = [], fills, upstreams, storage, failures } = sections;
  if (conditions === undefined || traffic === undefined) return html`<${Waiting} />`;
  return html`
    <${ConditionsPanel} ...${conditions} />
    <dl class="tiles">${tiles(sections, traffic, history)}</dl>
    <div class="columns">
      <${Panel} title="Hit rate" note="reads that needed no upstream"><${HitChart} points=${history} /><//>
      <${Panel} title="Bytes" note="to clients, and from upstreams"><${BytesChart} points=${history} /><//>
    </div>
    <${FillsPanel} fills=${fills} traffic=${traffic} />
    <${UpstreamsPanel} upstreams=${upstreams ?? []} />
    <div class="columns">
      <${Panel} title="Where bytes came from" note="reads since the start">
        <${Parts} label="Reads by source" parts=${traffic.reads} />
      <//>
      <${Panel} title="Requests" note="since the start, by class of answer">
        <${Parts} label="Requests by class of answer" parts=${traffic.classes} />
      <//>
      <${Panel} title="Storage"><${Storage} storage=${storage ?? []} /><//>
    </div>
    <${Panel}
      title="Latest failures"
      note=${html`<a href=${addressOf('failures')}>all ${countText(failures?.length ?? 0)}</a>`}
    >
      <${FailureList} failures=${(failures ?? []).slice(-shownFailures)} />
    <//>
  `;
}

function tiles(
  { service }: Pick<Partial<ConsoleSections>, 'service'>,
  traffic: TrafficFigures,
  history: readonly HistoryPoint[],
): Markup {
  const saved = Math.max(0, traffic.sentBytes - traffic.receivedBytes);
  const hour = lastHour(history, traffic);
  const rate = hour.seconds > 0 ? hour.requests / hour.seconds : 0;
  return html`
    <${Tile}
      label="Hit rate"
      value=${hour.reads > 0 ? percentText(hour.hits / hour.reads) : '–'}
      note=${hour.reads > 0 ? `of ${plural(hour.reads, 'read')} in the last hour` : 'no read in the last hour'}
    />
    <${Tile}
      label="Saved"
      value=${bytesText(saved)}
      note=${`${bytesText(traffic.sentBytes)} sent, ${bytesText(traffic.receivedBytes)} received`}
    />
    ${moneyTile(service, saved)}
    <${Tile}
      label="Requests"
      value=${html`${rateText(rate)}<small> a second</small>`}
      note=${`${countText(traffic.running)} running, ${countText(traffic.waiting)} waiting`}
    />
    <${Tile}
      label="Failed"
      value=${countText(hour.failed)}
      note=${`in the last hour; ${plural(traffic.resumed, 'download')} resumed`}
    />
  `;
}

function moneyTile(service: ServiceFigures | undefined, saved: number): Markup {
  const price = service?.pricePerGB;
  if (price === undefined) return null;
  const amount = ((saved / 1e9) * price).toLocaleString('en', {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  return html`<${Tile} label="Money saved" value=${amount} note=${`at ${price} per GB, since the start`} />`;
}
