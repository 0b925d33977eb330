import { RegistryError } from '../../oci/errors.ts';
import type { NodePlaces } from '../../proxy/console/data.ts';
import { registriesChain } from '../clients/check/registries-conf.ts';
import { imageText, parseImageName } from '../clients/image-name.ts';
import { ConfigurationTrouble, type Machine } from '../clients/machine.ts';
import { parseToml } from '../clients/toml.ts';

const file = 'registries.conf';

/** Where a node with this `registries.conf` alone asks for the image, in order. */
export const nodePlaces: NodePlaces = async (conf, image) => {
  const named = parseImageName(image);
  if (named === undefined)
    throw new RegistryError(
      'NAME_INVALID',
      `${image} is no image that a node names, such as quay.io/team/app:v1`,
    );
  try {
    const { links } = await registriesChain(named, {
      machine: machineWith(conf),
      client: 'cri-o',
      mainFiles: [file],
      folders: [],
      findLogin: async () => ({ place: 'no file' }),
    });
    const { tag, digest } = named;
    return links.map(({ location, skipped }) => {
      const slash = location.indexOf('/');
      const place = { registry: location.slice(0, slash), repository: location.slice(slash + 1) };
      const text = imageText({ ...place, ...(tag && { tag }), ...(digest && { digest }) });
      return { location, image: text, ...(skipped !== undefined && { skipped }) };
    });
  } catch (error) {
    if (!(error instanceof ConfigurationTrouble)) throw error;
    throw new RegistryError('NAME_INVALID', `${error.message}: a node that cannot read it pulls nothing`, {
      cause: error,
    });
  }
};

/** A machine that has this file and no other. */
function machineWith(conf: string): Machine {
  return {
    read: async (path) => (path === file ? conf : undefined),
    pathOf: (path) => path,
    list: async () => [],
    async toml(path) {
      if (path !== file) return undefined;
      try {
        return parseToml(conf);
      } catch (error) {
        const why = error instanceof Error ? error.message : 'no TOML';
        throw new ConfigurationTrouble(`${file} is not TOML: ${why}`, { cause: error });
      }
    },
  };
}
