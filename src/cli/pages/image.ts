import { Expression } from '../../base/text/expression.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, output } from '../flags/values.ts';
import { globalFlags, registryFlags } from './mirror.ts';

export const infoFlags = {
  ...globalFlags,
  ...({
    output: {
      ...output,
      help: 'text, or json: a document for each REF, with the field names of oc image info; a list for several images',
    },
    'filter-by-os': {
      value: 'REGEXP',
      read: (text: string) => Expression.anywhere(text),
      help: 'of a list, the images for such OS/ARCH[/VARIANT]; without it a list is shown as a list',
    },
    'show-multiarch': { ...boolean, help: 'of a list, every image' },
    config: {
      value: 'FILE',
      help: 'the settings, YAML: logins, authorities, addresses and proxies of the upstreams of a server',
    },
    ...registryFlags,
    'registry-config': {
      ...registryFlags['registry-config'],
      help: 'logins; without it those of --config, then $REGISTRY_AUTH_FILE, then those of podman and docker',
    },
    dir: { default: '.', value: 'DIR', help: 'the directory of file://' },
    'skip-referrers': {
      ...boolean,
      help: 'do not ask for signatures and other referrers: up to 5 requests less',
    },
    'icsp-file': {},
  } as const),
};

export const infoPage: CommandPage = {
  flags: infoFlags,
  about: `REF is REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@DIGEST, file://REPOSITORY:TAG in a directory as oc lays it out, or oci:PATH:TAG, an OCI image layout. A tag with * in it is every tag that matches.`,
  notes: `Signatures are listed and not verified. An image of Docker schema 1 is shown as such; its digest is that of the signed payload. --loglevel N, -v N, and the options of every oc command are accepted, without effect.`,
  exits: `Exits with 0 when all was shown, 1 when an image or a part of it does not exist or is damaged, 2 for a mistake, 3 when a registry did not say. A registry that refuses the login does not say.`,
};
