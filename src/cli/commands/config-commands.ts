import type { Command } from './command.ts';

/** What is about configuration files. */
export const configCommands: readonly Command[] = [
  {
    name: 'config check',
    summary: 'print every fault of a configuration file',
    usage: '[--deep | --without-files] [--output json] FILE',
    help: `  --deep            also open every file that it names as what it must be (htpasswd, auth file, kubeconfig, certificate and key),
                    write and delete a probe in store and spool, ask the bucket, GET /v2/ of each upstream with its login, and each
                    cluster for a review of this service
  --without-files   look at no file but FILE: for CI, where secrets are not
  --output json     one JSON document: {file, isFine, faults: [{setting, line, message}], checks: [{what, isFine, setting, line, message}]}

Prints each fault as FILE:LINE: setting: what is wrong and what to do. The user who runs it must be able to read the files that
settings name, and for --deep be the one who runs the server, in its place: what a laptop reaches says nothing of a pod.

Exits with 2 when the file or one that it names has a fault, 1 when --deep found something that does not work, else with 0.`,
    run: async (args, io) => (await import('./check.ts')).check(args, io),
  },
  {
    name: 'config schema',
    summary: 'print the JSON Schema of configuration files, for editors',
    usage: '',
    help: `For the YAML language server: quayside config schema > quayside.schema.json, and as the first line of the configuration
# yaml-language-server: $schema=quayside.schema.json

The schema knows names, defaults and words; what hangs together between settings only quayside config check knows.`,
    run: async (args, io) => (await import('./schema.ts')).schema(args, io),
  },
];
