import { useEffect, useState } from 'preact/hooks';

/** Which view is shown, and of what: `#/content?repository=…`. */
export interface PageAddress {
  readonly view: string;
  readonly parameters: URLSearchParams;
}

/** The address that the browser shows, as it changes. */
export function useAddress(): PageAddress {
  const [text, setText] = useState(location.hash);
  useEffect(() => {
    const changed = () => setText(location.hash);
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  const [view = '', query = ''] = text.replace(/^#\/?/, '').split('?', 2);
  return { view, parameters: new URLSearchParams(query) };
}

/** The address of a view, for links. */
export function addressOf(
  view: string,
  parameters: Readonly<Record<string, string | undefined>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
  return `#/${view}${query.size === 0 ? '' : `?${query}`}`;
}

/** Shows another view. */
export function goTo(address: string): void {
  location.hash = address;
}
