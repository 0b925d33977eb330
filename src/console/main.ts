// Room `console`: the page of the console, which runs in a browser. In: the address, and what the
// server tells. Out: what people see. Imports: console/overview, console/parts, console/views,
// console/wire.

import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Layout } from './layout.ts';
import { html, type Markup } from './parts/html.ts';
import { Panel, Refusal, Waiting } from './parts/pieces.ts';
import { LoginView } from './views/login.ts';
import { ask, ServerRefusal } from './wire/api.ts';
import { follow, resume, unfollow } from './wire/live.ts';
import type { ConsoleViewer } from './wire/messages.ts';

/** Who looks is asked first: the server decides who that is, and what they may see. */
function Page(): Markup {
  const [viewer, setViewer] = useState<ConsoleViewer>();
  const [refusal, setRefusal] = useState<Error>();
  const current = useRef<ConsoleViewer>(undefined);

  const look = () => {
    setRefusal(undefined);
    ask<ConsoleViewer>('console/me').then(entered, setRefusal);
  };
  const entered = (known: ConsoleViewer) => {
    setRefusal(undefined);
    setViewer(known);
    current.current = known;
    follow(lookAgain);
  };
  /** The stream was refused, or ended: perhaps the login did. A silent server comes back. */
  const lookAgain = () => {
    const before = current.current;
    ask<ConsoleViewer>('console/me').then(
      (known) =>
        known.name === before?.name && known.isOperator === before.isOperator ? resume() : entered(known),
      (error: Error) => (error instanceof ServerRefusal && isOfLogin(error) ? setRefusal(error) : resume()),
    );
  };
  const left = async () => {
    unfollow();
    await ask('console/logout', { method: 'POST', body: {} }).catch(() => undefined);
    setViewer(undefined);
    look();
  };
  useEffect(look, []);

  if (refusal instanceof ServerRefusal && refusal.status === 401)
    return html`<${LoginView} reason=${refusal.message} entered=${entered} />`;
  if (refusal !== undefined)
    return html`<main class="login" id="main">
      <h1>Quayside</h1>
      <${Panel} title="Not shown"><${Refusal} error=${refusal} /><button type="button" onClick=${look}>Try again</button><//>
    </main>`;
  if (viewer === undefined) return html`<main class="login" id="main"><h1>Quayside</h1><${Waiting} /></main>`;
  return html`<${Layout} viewer=${viewer} left=${left} />`;
}

function isOfLogin({ status }: ServerRefusal): boolean {
  return status === 401 || status === 403;
}

const place = document.getElementById('page');
if (place !== null) render(html`<${Page} />`, place);
