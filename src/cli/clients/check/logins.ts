import { fieldsOf, jsonOrNone } from '../../../base/text/json.ts';
import type { UpstreamCredential } from '../../../upstream/credential.ts';
import { credentialFor, parseAuthFile } from '../../../upstream/login/login-file.ts';
import { ConfigurationTrouble, type Machine } from '../machine.ts';

/** What a client shows at a host. */
export interface Login {
  readonly credential?: UpstreamCredential;
  /** The file that has it, or those where it was looked for, for people. */
  readonly place: string;
  /** A program that has the login, which is not run. */
  readonly helper?: string;
  /** Why the client shows none, whatever its files hold: what to do instead. */
  readonly never?: string;
}

/** Finds what a client shows at a host for a repository. Throws `ConfigurationTrouble`. */
export type FindLogin = (hosts: readonly string[], repository: string) => Promise<Login>;

/** Looks in these files, in their order, as clients do: the first that has an entry decides. */
export function createLogins(machine: Machine, files: readonly string[]): FindLogin {
  return async (hosts, repository) => {
    for (const file of files) {
      const text = await machine.read(file);
      if (text === undefined) continue;
      const place = machine.pathOf(file);
      const credential = credentialFor(entriesIn(text, place), hosts, repository);
      if (credential !== undefined) return { credential, place };
      const helper = helperIn(text, hosts);
      if (helper !== undefined) return { place, helper };
    }
    return { place: files.map(machine.pathOf).join(', ') || 'no file' };
  };
}

/** Without the parser's message, which may quote a secret. */
function entriesIn(text: string, place: string) {
  if (jsonOrNone(text) === undefined) throw new ConfigurationTrouble(`${place} is not JSON`);
  return parseAuthFile(text);
}

function helperIn(text: string, hosts: readonly string[]): string | undefined {
  const { credHelpers, credsStore } = fieldsOf(jsonOrNone(text));
  const helpers = fieldsOf(credHelpers);
  const [found] = hosts.flatMap((host) => (typeof helpers[host] === 'string' ? [helpers[host]] : []));
  return found ?? (typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined);
}
