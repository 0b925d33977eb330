import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, output } from '../flags/values.ts';

export const configCheckFlags = {
  deep: {
    ...boolean,
    help: 'also open every file that it names as what it must be (htpasswd, auth file, kubeconfig, certificate and key), write and delete a probe in store and spool, ask the bucket, GET /v2/ of each upstream with its login, and each cluster for a review of this service',
  },
  'without-files': { ...boolean, help: 'look at no file but FILE: for CI, where secrets are not' },
  output: {
    ...output,
    help: 'text, or json: {file, isFine, faults: [{setting, line, message}], checks: [{what, isFine, setting, line, message}]}',
  },
} as const satisfies FlagTable;

export const configCheckPage: CommandPage = {
  flags: configCheckFlags,
  notes: `Prints each fault as FILE:LINE: setting: what is wrong and what to do. The user who runs it must be able to read the files that settings name, and for --deep be the one who runs the server, in its place: what a laptop reaches says nothing of a pod.`,
  exits: `Exits with 2 when the file or one that it names has a fault, 1 when --deep found something that does not work, else with 0.`,
};

export const configSchemaFlags = {
  output: { ...output, default: 'json', help: 'accepted; the schema is JSON in any case' },
} as const satisfies FlagTable;

export const configSchemaPage: CommandPage = {
  flags: configSchemaFlags,
  notes: `The YAML language server reads it, where the first line of the configuration names it:

  # yaml-language-server: $schema=quayside.schema.json

The schema knows names, defaults and words; what hangs together between settings only quayside config check knows.`,
  examples: ['quayside config schema > quayside.schema.json'],
};

export const versionFlags = {
  output: {
    ...output,
    help: 'text, or json: {version, revision, node}: also of the source, as the image was told by QUAYSIDE_REVISION, and of Node',
  },
} as const satisfies FlagTable;

export const versionPage: CommandPage = {
  flags: versionFlags,
  notes: `Prints name and version on one line. quayside --version and quayside -V do the same.`,
};

/** Shells that can complete the commands. */
export const shells = ['bash', 'zsh', 'fish'] as const;

export const completionPage: CommandPage = {
  flags: {},
  words: shells,
  about: `Prints a script that lets the shell complete commands, options, their words and files. It names what this version knows, and starts nothing: make it anew after an update.`,
  examples: [
    'source <(quayside completion bash)',
    'quayside completion bash > /etc/bash_completion.d/quayside',
    'quayside completion zsh > ~/.zsh/completions/_quayside',
    'quayside completion fish > ~/.config/fish/completions/quayside.fish',
  ],
};
