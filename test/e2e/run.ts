/** The process of `npm run e2e`; signals end the scenario that is being played. */
import { e2e } from './command.ts';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interruption.abort(new Error(signal)));
}
const code = await e2e(process.argv.slice(2), interruption.signal, console);
// What a scenario has left open was named; nothing waits for it.
process.exit(code);
