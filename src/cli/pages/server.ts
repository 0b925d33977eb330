// Room `cli/pages`: the flags of each command, and what is said of it. In: nothing. Out: a table
// for the parser, the help, the completion and the manual. Imports: every room below.

import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, oneOf, output } from '../flags/values.ts';

const logFormats = ['json', 'pretty'] as const;

/** How log lines are written. */
export type LogFormat = (typeof logFormats)[number];

export const serveFlags = {
  config: {
    value: 'FILE',
    help: 'the settings, YAML; without it: 127.0.0.1:8400, ./.quayside, public registries, no login',
  },
  'log-format': {
    value: 'json|pretty',
    default: 'json',
    read: oneOf(logFormats),
    help: 'json for programs, or pretty: lines for people, coloured on a terminal',
  },
} as const satisfies FlagTable;

export const servePage: CommandPage = {
  flags: serveFlags,
  notes: `Log lines go to standard output, all else to standard error. SIGTERM and SIGINT stop it once the requests under way are answered, within shutdownGraceMs; after SIGTERM it serves for shutdownDelayMs more, not ready. A second one stops it at once. SIGHUP, outside of a terminal, reloads the file, as a change of the file does, and forgets remembered logins and rights.`,
};

/** The options of commands that ask a running server. */
export const adminFlags = {
  config: {
    value: 'FILE',
    help: 'the settings of that server, YAML, for the address of its admin listener; without it 127.0.0.1:8401',
  },
  admin: { value: 'URL', help: 'the admin listener, such as http://127.0.0.1:8401' },
  'token-file': {
    value: 'FILE',
    help: 'a file whose first token to send; without it admin.tokenFile of --config. Over loopback none is needed',
  },
} as const satisfies FlagTable;

/** Written before every command had `--output`. */
export const oldJson = { json: boolean } as const;

export const statusFlags = {
  watch: { ...boolean, help: 'print them again at each change, until stopped' },
  output: { ...output, help: 'text for people, or json: one document a line, failures on standard error' },
  ...oldJson,
  ...adminFlags,
} as const satisfies FlagTable;

export const statusPage: CommandPage = {
  flags: statusFlags,
  notes: `Available, Progressing and Degraded, and below them those of the parts: status, since when, reason and message. A second line of a part is what has been found and does not count yet. Each replica has conditions of its own.`,
  exits: `Exits with 0 when it is available and not degraded, 1 when not, 2 for a mistake, 3 when the server cannot be asked; 130 or 143 when ^C or SIGTERM ended --watch.`,
};

export const accessCheckFlags = {
  config: { value: 'FILE', help: 'the settings, YAML; those of the servers' },
  host: {
    value: 'HOST',
    help: 'the host to check; without it the one in the reference, or the only one with auth: cluster',
  },
  as: {
    value: 'USER',
    help: 'the user who pulls; system:serviceaccount:NAMESPACE:NAME for a service account',
  },
  groups: { value: 'A,B', help: 'groups of the user; those that Kubernetes adds by itself are added' },
  cluster: { value: 'NAME', help: "the cluster of the user; without it the first of the host's clusters" },
  output: { ...output, help: 'text: lines, or json: one document' },
  ...oldJson,
} as const satisfies FlagTable;

export const accessCheckPage: CommandPage = {
  flags: accessCheckFlags,
  notes: `REFERENCE is [HOST/]REPOSITORY:TAG or [HOST/]REPOSITORY@DIGEST. The cluster is asked anew, with the rights of the user who runs it. A digest is judged by the content of the store, which may be in use; no upstream is asked, nothing is written.`,
  exits: `Exits with 0 when the pull is allowed, 1 when it is refused, 2 for a mistake, 3 when the question could not be decided.`,
};

export const accessForgetFlags = { ...adminFlags, output } as const satisfies FlagTable;

export const accessForgetPage: CommandPage = {
  flags: accessForgetFlags,
  notes: `For a right that was just revoked: the next request asks the cluster. Each replica has a memory of its own.`,
};
