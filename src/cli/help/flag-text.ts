import type { FlagTable } from '../flags/flag-table.ts';

/** What Quayside is, in one sentence. */
export const intro =
  'A proxy, pull-through cache and mirror of container images, between clients and registries.';

/** The variables that commands read, and what for. */
export const environment = {
  REGISTRY_AUTH_FILE: 'logins, for commands that take --registry-config',
  QUAYSIDE_CREDENTIAL_HELPERS:
    'directories, with a colon between two: the docker-credential-NAME that an auth file names are run from them alone, by commands that take --registry-config; without it none is run',
  KUBECONFIG: 'the cluster, for commands that take --kubeconfig',
  NO_COLOR: 'not empty: no colours in the log of --log-format pretty',
};

/** A flag as it is shown: how it is written, and what it does. */
export interface ListedFlag {
  readonly name: string;
  readonly short: string | undefined;
  /** `-o, --output text|json` */
  readonly term: string;
  /** Undefined for a switch. */
  readonly value: string | undefined;
  /** With its default, and whether it may be given several times. */
  readonly help: string;
  readonly group: string | undefined;
  /** The words that it takes. Empty: any. */
  readonly words: readonly string[];
}

/** The flags that are shown, in their order. */
export function listedFlags(flags: FlagTable): readonly ListedFlag[] {
  return Object.entries(flags).flatMap(([name, flag]) => {
    if (flag.help === undefined) return [];
    const { short, isSwitch, isList, group, default: assumed } = flag;
    const value = isSwitch === true ? undefined : (flag.value ?? 'VALUE');
    const letter = short === undefined ? '    ' : `-${short}, `;
    const more = [
      isList === true ? 'may be repeated' : '',
      assumed === undefined ? '' : `default: ${assumed}`,
    ];
    return {
      name,
      short,
      term: `${letter}--${name}${value === undefined ? '' : ` ${value}`}`,
      value,
      help: [flag.help, ...more.filter((part) => part !== '')].join('; '),
      group,
      words: flag.words ?? wordsIn(value),
    };
  });
}

/** `skip|copy` are words; `FILE|URL` are none. */
function wordsIn(value: string | undefined): readonly string[] {
  return value?.split('|').filter((word) => value.includes('|') && /^[a-z]+$/.test(word)) ?? [];
}

/** The paragraphs of a text, in order. */
export function paragraphs(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split('\n\n');
}
