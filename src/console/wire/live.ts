import { useEffect, useState } from 'preact/hooks';
import type { ConsoleSections, FailureFigures } from './messages.ts';

/** What the server told so far, and whether it still does. */
export interface LiveState {
  readonly sections: Partial<ConsoleSections>;
  readonly link: 'opening' | 'open' | 'lost' | 'ended';
  /** Why it ended. */
  readonly why?: string;
}

const mostFailures = 200;
const retryMs = 4_000;

let state: LiveState = { sections: {}, link: 'opening' };
let source: EventSource | undefined;
let retry: number | undefined;
let refused = (): void => undefined;
const listeners = new Set<() => void>();

/** Follows what the server tells by itself; opens the one stream of the page when first used. */
export function useLive(): LiveState {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

/**
 * Begins to follow; what an earlier viewer saw is gone. `whenRefused` is called some seconds after
 * the server refused or ended the stream, to ask who looks, and to resume.
 */
export function follow(whenRefused: () => void): void {
  unfollow();
  refused = whenRefused;
  become({ sections: {}, link: 'opening' });
  open();
}

/** Follows again. What was told stays shown until it is told anew. */
export function resume(): void {
  unfollow();
  open();
}

/** Ends it. */
export function unfollow(): void {
  window.clearTimeout(retry);
  source?.close();
  source = undefined;
}

function open(): void {
  const events = new EventSource('./events');
  source = events;
  events.addEventListener('snapshot', ({ data }) => become({ sections: JSON.parse(data), link: 'open' }));
  events.addEventListener('changed', ({ data }) =>
    become({ sections: joined(state.sections, JSON.parse(data)), link: 'open' }),
  );
  events.addEventListener('ended', ({ data }) => {
    unfollow();
    become({ ...state, link: 'ended', why: JSON.parse(data).why });
    retry = window.setTimeout(() => refused(), retryMs);
  });
  events.addEventListener('error', () => {
    become({ ...state, link: 'lost' });
    // After a refusal a browser gives up by itself.
    if (events.readyState !== EventSource.CLOSED) return;
    unfollow();
    retry = window.setTimeout(() => refused(), retryMs);
  });
}

/** Of failures only new ones are told. */
function joined(
  before: Partial<ConsoleSections>,
  changed: Partial<ConsoleSections>,
): Partial<ConsoleSections> {
  const { failures } = changed;
  if (failures === undefined) return { ...before, ...changed };
  const all: readonly FailureFigures[] = [...(before.failures ?? []), ...failures];
  return { ...before, ...changed, failures: all.slice(-mostFailures) };
}

function become(next: LiveState): void {
  state = next;
  for (const listener of listeners) listener();
}
