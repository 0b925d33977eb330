import type { Explanation } from '../../explain/explain.ts';
import type { Finding } from '../../explain/step.ts';
import type { Link } from '../clients/check/link.ts';
import { registriesChain } from '../clients/check/registries-conf.ts';
import { imageText, parseImageName } from '../clients/image-name.ts';
import { ConfigurationTrouble, createMachine, namedPath } from '../clients/machine.ts';

/** Places of one image that are asked. */
const mostAsked = 4;

/**
 * What a `registries.conf` makes of the image: its mirrors in the node's order, and what each
 * answers now. Upstreams and hosts of Quayside alone are asked; `quayside clients check` pulls
 * through all of them, from where the node is.
 */
export async function clientStep(
  file: string,
  image: string,
  ask: (text: string) => Promise<Explanation>,
): Promise<Finding> {
  const named = parseImageName(image);
  if (named === undefined)
    return { mark: 'unknown', found: [`${image} is no image that a node names`], decides: false };
  try {
    const { links } = await registriesChain(named, {
      machine: createMachine('/'),
      client: 'cri-o',
      mainFiles: [namedPath(file)],
      folders: [],
      findLogin: async () => ({ place: 'no file' }),
    });
    return await foundAt(links, named, { file, ask });
  } catch (error) {
    if (!(error instanceof ConfigurationTrouble)) throw error;
    const next = {
      steps: ['correct the file: a node that cannot read it pulls nothing'],
      who: 'the administrator of the node',
    };
    return { mark: 'wrong', found: [error.message], where: file, next };
  }
}

interface AskedPlace {
  readonly file: string;
  readonly ask: (text: string) => Promise<Explanation>;
}

async function foundAt(
  links: readonly Link[],
  { tag, digest }: { readonly tag?: string; readonly digest?: string },
  { file, ask }: AskedPlace,
): Promise<Finding> {
  const lines: string[] = [];
  let asked = 0;
  for (const [index, { location, skipped }] of links.entries()) {
    const text = imageText({ ...placeOf(location), ...(tag && { tag }), ...(digest && { digest }) });
    if (skipped !== undefined) {
      lines.push(`${index + 1}. ${location}: not asked by the node: ${skipped}`);
      continue;
    }
    asked += 1;
    const word = asked > mostAsked ? 'not asked: too many places' : await answerAt(text, ask);
    lines.push(`${index + 1}. ${location}: ${word}`);
  }
  const first =
    links.length === 1
      ? 'no mirror: the node asks the registry itself'
      : `${links.length - 1} mirrors, then the registry itself`;
  return { mark: 'ok', found: [first, ...lines], where: file, decides: false };
}

function placeOf(location: string) {
  const slash = location.indexOf('/');
  return { registry: location.slice(0, slash), repository: location.slice(slash + 1) };
}

/** What the place answers, in the words of the steps. */
async function answerAt(text: string, ask: AskedPlace['ask']): Promise<string> {
  const { steps } = await ask(text);
  const route = steps.find(({ title }) => title === 'route');
  if (route?.mark === 'wrong')
    return 'not asked: it is neither an upstream nor a host here; quayside clients check asks it';
  const upstream = steps.find(({ title }) => title === 'upstream');
  return upstream?.found[0] ?? 'not known';
}
