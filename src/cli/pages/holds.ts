import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, output } from '../flags/values.ts';
import { registryFlags } from './mirror.ts';
import { adminFlags } from './server.ts';

export const validateFlags = {
  config: { value: 'FILE', help: "the image mirroring's _config.yaml" },
  against: { value: 'FILE|URL', help: 'the configuration in force: its entries are not checked again' },
  'release-repo-git-sync-path': {
    value: 'DIR',
    help: 'a checkout of openshift/release: tags that its configurations promote are not overwritten',
  },
  'registry-config': registryFlags['registry-config'],
  output: { ...output, help: 'text: a line for each objection, or json: {objections: [TEXT]}' },
} as const satisfies FlagTable;

export const validatePage: CommandPage = {
  flags: validateFlags,
  notes: `New supplemental images must not come from docker.io, must exist, and must neither exist in QCI nor be promoted into it.`,
  exits: `Exits with 0 when there is no objection, 1 when there is one, 2 when the file cannot be used.`,
};

const holdOptions = {
  until: {
    value: 'TIME',
    help: 'when the hold ends by itself: 2026-12-01T12:00:00Z, or a duration such as 12h; without it at its release',
  },
  why: { value: 'TEXT', help: 'for people; the log and the API show it' },
} as const satisfies FlagTable;

export const holdFlags = { ...holdOptions, ...adminFlags, output } as const satisfies FlagTable;

export const holdPage: CommandPage = {
  flags: holdFlags,
  notes: `For an image that was set back by hand: the loop copies nothing to DESTINATION, a pull spec with its tag, until the hold ends. It is kept in the store, so that it survives a restart and counts for every process with the same store. Run it before the image is set back: a copy that is running then no longer overwrites the tag. quayside mirror SRC DESTINATION still does.`,
};

export const releaseFlags = { ...adminFlags, output } as const satisfies FlagTable;

export const releasePage: CommandPage = {
  flags: releaseFlags,
  notes: `Ends what quayside mirror hold began; what waits for DESTINATION is copied within a minute.`,
  exits: `Exits with 0, with 1 where there is no hold, with 2 for a mistake.`,
};

function versionNumber(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 1 on, not ${text}`);
}

export const revertFlags = {
  version: { default: '1', value: 'N', read: versionNumber, help: 'which one: 1 is the newest' },
  confirm: { ...boolean, help: 'act; without it the plan is printed and nothing is changed' },
  ...holdOptions,
  'no-hold': { ...boolean, help: 'set no hold: nothing mirrors to TAG' },
  ...registryFlags,
  'registry-config': {
    ...registryFlags['registry-config'],
    help: 'logins that may write and delete; without it those of the mirror in --config, then $REGISTRY_AUTH_FILE, then those of podman and docker',
  },
  ...adminFlags,
  output,
} as const satisfies FlagTable;

export const revertPage: CommandPage = {
  flags: revertFlags,
  about: `TAG is a tag of quay.io/openshift/ci, an image stream tag (NAMESPACE/NAME:TAG), or REGISTRY/REPOSITORY:TAG. Its previous images are those that promotion and the mirror kept as <14 digits>_prune_TAG and <14 digits>_prune___ci_images_mirror__TAG.`,
  notes: `Holds TAG, keeps its image as <now>_prune_TAG_broken, sets TAG to the previous image, and deletes the tag that this one had. A step that fails, or ^C, undoes those before it; only where the last tag cannot be deleted, that is a warning. Turn off the promotion of TAG first, or it comes back. quayside mirror release TAG ends the hold.`,
  exits: `Exits with 0 when TAG is reverted, would be, or is that image already; 1 when there is no such image, or a step failed, 2 for a mistake, 3 when the registry or the server with the holds did not answer before anything was changed, 130 or 143 when a signal stopped it.`,
};
