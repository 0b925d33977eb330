import { useEffect, useRef } from 'preact/hooks';
import { OverviewView } from './overview/overview.ts';
import { html, type Markup } from './parts/html.ts';
import { Empty } from './parts/pieces.ts';
import { countText } from './parts/text.ts';
import { ContentView } from './views/content.ts';
import { EvictionView } from './views/eviction.ts';
import { ExplainView } from './views/explain.ts';
import { FailuresView } from './views/failures.ts';
import { FleetView } from './views/fleet.ts';
import { MirrorView } from './views/mirror.ts';
import { SettingsView } from './views/settings.ts';
import { addressOf, type PageAddress, useAddress } from './wire/address.ts';
import { type LiveState, useLive } from './wire/live.ts';
import type { ConsoleViewer } from './wire/messages.ts';

interface ConsoleView {
  readonly name: string;
  readonly title: string;
  readonly body: (properties: Pick<PageAddress, 'parameters'>) => Markup;
  /** Users of a cluster who are no operators see it too. */
  readonly isForAll?: boolean;
  /** Shown where the service has such a part. */
  readonly needs?: 'mirror' | 'fleet';
}

const views: readonly ConsoleView[] = [
  { name: '', title: 'Overview', body: OverviewView },
  { name: 'failures', title: 'Failures', body: FailuresView, isForAll: true },
  { name: 'explain', title: 'Explain', body: ExplainView, isForAll: true },
  { name: 'content', title: 'Content', body: ContentView, isForAll: true },
  { name: 'mirror', title: 'Mirror', body: MirrorView, needs: 'mirror' },
  { name: 'eviction', title: 'Eviction', body: EvictionView },
  { name: 'fleet', title: 'Fleet', body: FleetView, needs: 'fleet' },
  { name: 'settings', title: 'Settings', body: SettingsView },
];

interface LayoutProperties {
  readonly viewer: ConsoleViewer;
  readonly left: () => void;
}

/** The views that the viewer has, and the one that the address names. */
export function Layout({ viewer, left }: LayoutProperties): Markup {
  const live = useLive();
  const address = useAddress();
  const { hasMirror = false, hasFleet = false } = live.sections.service ?? {};
  const shown = views.filter(
    ({ isForAll, needs }) =>
      (viewer.isOperator || isForAll) &&
      (needs === undefined || (needs === 'mirror' ? hasMirror : hasFleet) || needs === address.view),
  );
  const current =
    shown.find(({ name }) => name === address.view) ?? (address.view === '' ? shown[0] : undefined);
  const main = useRef<HTMLElement>(null);
  const title = current?.title ?? 'Not here';
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} · Quayside`;
    // Who uses the keyboard goes on within the new view.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [title]);

  return html`
    <a class="skip" href="#main" onClick=${(event: Event) => {
      event.preventDefault();
      main.current?.focus();
    }}>Skip to the content</a>
    <header class="top">
      <p class="brand"><a href=${addressOf('')}>Quayside</a></p>
      <nav aria-label="Views">
        ${shown.map(
          (
            view,
          ) => html`<a key=${view.name} href=${addressOf(view.name)} aria-current=${view === current ? 'page' : undefined}>
            ${view.title}${badgeOf(view, live)}
          </a>`,
        )}
      </nav>
      <${Foot} live=${live} viewer=${viewer} left=${left} />
    </header>
    <main id="main" tabindex="-1" ref=${main}>
      <h1>${title}</h1>
      ${
        current === undefined
          ? html`<${Empty} title="There is no such view">Or this login does not have it.<//>`
          : html`<${current.body} parameters=${address.parameters} />`
      }
    </main>
  `;
}

function badgeOf({ name }: ConsoleView, { sections }: LiveState): Markup {
  const parked = sections.mirror?.parked ?? 0;
  return name === 'mirror' && parked > 0
    ? html` <span class="badge">${countText(parked)}<span class="aside"> parked</span></span>`
    : null;
}

const links: Readonly<Record<LiveState['link'], string>> = {
  opening: 'connecting',
  open: 'live',
  lost: 'no connection, trying again',
  ended: 'ended by the server, trying again',
};

function Foot({ live, viewer, left }: LayoutProperties & { readonly live: LiveState }): Markup {
  const { link, why, sections } = live;
  const { version, instance } = sections.service ?? {};
  return html`<div class="foot">
    <p class=${`link ${link}`} role="status" title=${why}>${links[link]}</p>
    ${version !== undefined && html`<p class="note">${version} · ${instance}</p>`}
    <p class="note">${viewer.name === 'local' ? 'on this host, without a login' : viewer.name}</p>
    ${viewer.hasLogin && html`<button type="button" class="quiet" onClick=${left}>Log out</button>`}
  </div>`;
}
