import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Machine } from '../machine.ts';

/** Whom a client trusts beside the machine's own authorities, and what it shows of itself. */
export interface Trust {
  /** PEM. */
  readonly authorities: readonly string[];
  /** A client's certificate and its key, PEM. */
  readonly own?: { readonly cert: string; readonly key: string };
  /** Where another authority belongs, for people. */
  readonly place: string;
}

/**
 * The files for a host in folders as docker and podman read them: `*.crt` are authorities, `*.cert`
 * and the `*.key` of the same name are the client's own.
 */
export async function certificatesFor(
  machine: Machine,
  folders: readonly string[],
  host: string,
): Promise<Trust> {
  const [usual = ''] = folders;
  const authorities: string[] = [];
  let own: Trust['own'];
  for (const folder of folders) {
    const names = await machine.list(`${folder}/${host}`);
    const text = async (name: string) => (await machine.read(`${folder}/${host}/${name}`)) ?? '';
    for (const name of names) {
      if (name.endsWith('.crt')) authorities.push(await text(name));
      const key = name.replace(/\.cert$/, '.key');
      if (name.endsWith('.cert') && names.includes(key))
        own ??= { cert: await text(name), key: await text(key) };
    }
  }
  const place = `${machine.pathOf(`${usual}/${host}`)}/ca.crt`;
  return { authorities, place, ...(own === undefined ? {} : { own }) };
}

/**
 * For connections that trust the authorities of Node, of the machine and of the client. Making one
 * takes some 20 ms, so a link needs one for all its connections; the machine names many twice.
 */
export function secureContextOf({ authorities, own }: Trust): SecureContext {
  const all = [...getCACertificates('default'), ...getCACertificates('system'), ...authorities];
  return createSecureContext({ ca: [...new Set(all)], ...own });
}
