import { useState } from 'preact/hooks';
import { html, type Markup } from '../parts/html.ts';
import { Panel, Refusal } from '../parts/pieces.ts';
import { ask } from '../wire/api.ts';
import type { ConsoleViewer } from '../wire/messages.ts';

interface LoginProperties {
  /** Why a login is asked for, in the server's words. */
  readonly reason: string;
  readonly entered: (viewer: ConsoleViewer) => void;
}

/** A login with a token, which this browser then keeps where no script reads it. */
export function LoginView({ reason, entered }: LoginProperties): Markup {
  const [error, setError] = useState<Error>();
  const [isAsking, setAsking] = useState(false);
  const submitted = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const token = String(new FormData(form).get('token') ?? '').trim();
    setAsking(true);
    setError(undefined);
    try {
      entered(await ask<ConsoleViewer>('console/login', { method: 'POST', body: { token } }));
    } catch (refusal) {
      setError(refusal instanceof Error ? refusal : new Error('The login failed.'));
      form.reset();
    } finally {
      setAsking(false);
    }
  };
  return html`<main class="login" id="main">
    <h1>Quayside</h1>
    <${Panel} title="Log in" note=${reason}>
      <form onSubmit=${submitted}>
        <label for="token">Token of the cluster, or of the operators’ file</label>
        <input id="token" name="token" type="password" required autocomplete="off" spellcheck=${false} />
        <p class="note">On OpenShift: <code>oc whoami -t</code>. On Kubernetes: <code>kubectl create token NAME</code>.</p>
        <button type="submit" disabled=${isAsking}>${isAsking ? 'Asking the cluster …' : 'Log in'}</button>
      </form>
      ${error !== undefined && html`<${Refusal} error=${error} />`}
    <//>
  </main>`;
}
