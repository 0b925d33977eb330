// Room `cli/clients/check`: pulls through each link of a client's chain, and says what it found.
// In: a reference, and the files of a machine. Out: a line for each link, or JSON. Imports: every
// room below.

import { arch, homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../../base/text/defined.ts';
import { field, textOf } from '../../../base/text/json.ts';
import { scrubbed } from '../../../base/text/redaction.ts';
import { didYouMean, UsageError } from '../../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../../flags/flag-table.ts';
import { type Io, type Run, stopCode } from '../../flags/io.ts';
import { clientsCheckFlags } from '../../pages/clients.ts';
import { type ImageName, imageText, parseImageName } from '../image-name.ts';
import { ConfigurationTrouble, createMachine, type Machine, namedPath } from '../machine.ts';
import { nextStep } from './advice.ts';
import { daemonChain } from './daemon-json.ts';
import { hostsChain } from './hosts-toml.ts';
import { type Chain, type CheckedClient, checkedClients } from './link.ts';
import { createLogins, type FindLogin } from './logins.ts';
import { type PullOptions, pulled } from './pull.ts';
import { registriesChain } from './registries-conf.ts';
import { type ClientReport, exitCode, type LinkReport, reportText } from './report.ts';

type CheckWords = FlagValues<typeof clientsCheckFlags>;

/** What is looked at: a machine, where its files are, and whose home it is. */
interface Surroundings {
  readonly machine: Machine;
  readonly words: CheckWords;
  readonly env: Io['env'];
  readonly home: string;
}

/** `quayside clients check`. 0: all well, 1: something is wrong, 3: it cannot be told. */
export const clientsCheck: Run = async (args, io) => {
  const { values, words } = parseFlags(clientsCheckFlags, args);
  const image = imageOf(words);
  const pull = pullOptions(values, io);
  const place = {
    machine: createMachine(values.root),
    words: values,
    env: io.env,
    home: io.env['HOME'] ?? homedir(),
  };
  const reports: ClientReport[] = [];
  try {
    for (const client of await chosenClients(values.client, place)) {
      const report = await checked(client, image, place, pull);
      reports.push(report);
      if (values.output === 'text') io.stdout.write(reportText(report));
    }
  } catch (error) {
    if (io.signal.aborted) return stopCode(io.signal.reason);
    throw error;
  }
  const code = exitCode(reports);
  const verdict = { 0: 'ok', 1: 'wrong' }[code] ?? 'unknown';
  if (values.output === 'json')
    io.stdout.write(`${JSON.stringify({ image: imageText(image), verdict, clients: reports })}\n`);
  return code;
};

function imageOf([reference, ...others]: readonly string[]): ImageName {
  if (reference === undefined || others.length > 0)
    throw new UsageError('needs one REFERENCE, such as quay.io/openshift/ci:ocp_4.20_cli');
  const image = parseImageName(reference);
  if (image === undefined) throw new UsageError(`${reference} is no image: [HOST/]REPOSITORY[:TAG][@DIGEST]`);
  return image;
}

function pullOptions({ platform, deep, timeout }: CheckWords, { env, signal }: Io): PullOptions {
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 3600))
    throw new UsageError(`--timeout takes seconds, such as 30, not ${timeout}`);
  const architecture = { x64: 'amd64', ia32: '386' }[arch() as string] ?? arch();
  const wanted = platform ?? `linux/${architecture}`;
  if (!/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/.test(wanted))
    throw new UsageError(`--platform takes OS/ARCH or OS/ARCH/VARIANT, not ${wanted}`);
  return { platform: wanted, isDeep: deep === true, timeoutMs: seconds * 1000, env, signal };
}

async function chosenClients(
  words: readonly string[],
  place: Surroundings,
): Promise<readonly CheckedClient[]> {
  if (words.length > 0) return words.flatMap((word) => word.split(',')).map(clientNamed);
  const found: CheckedClient[] = [];
  for (const client of checkedClients) if (await isConfigured(client, place)) found.push(client);
  if (found.length > 0) return found;
  throw new UsageError(
    `no client has a configuration on this machine; name one by --client, of ${checkedClients.join(', ')}`,
  );
}

function clientNamed(word: string): CheckedClient {
  const found = checkedClients.find((name) => name === word);
  if (found !== undefined) return found;
  throw new UsageError(
    `--client takes ${checkedClients.join(', ')}; not ${word}${didYouMean(word, checkedClients)}`,
  );
}

async function isConfigured(client: CheckedClient, { machine, words }: Surroundings): Promise<boolean> {
  const { read, list } = machine;
  switch (client) {
    case 'podman':
      return (
        words['registries-conf'] !== undefined ||
        (await read(registries)) !== undefined ||
        (await list(`${registries}.d`)).length > 0
      );
    case 'cri-o':
      return (await read(crioConf)) !== undefined || (await list(`${crioConf}.d`)).length > 0;
    case 'containerd':
      return words['hosts-dir'] !== undefined || (await list(hostsDir)).length > 0;
    case 'docker':
      return words['daemon-json'] !== undefined || (await read(daemonJson)) !== undefined;
  }
}

const registries = '/etc/containers/registries.conf';
const crioConf = '/etc/crio/crio.conf';
const hostsDir = '/etc/containerd/certs.d';
const daemonJson = '/etc/docker/daemon.json';

async function checked(
  client: CheckedClient,
  image: ImageName,
  place: Surroundings,
  pull: PullOptions,
): Promise<ClientReport> {
  const report = { client, image: imageText(image), files: [], links: [] };
  try {
    const { files, links } = await chainOf(client, image, place);
    const found: LinkReport[] = [];
    for (const link of links) {
      const finding = await pulled(link, image, pull);
      const next = nextStep(finding, link, Date.now());
      found.push({ location: scrubbed(link.location), ...finding, ...defined({ next }) });
    }
    return { ...report, files, links: found };
  } catch (error) {
    if (!(error instanceof ConfigurationTrouble)) throw error;
    return { ...report, trouble: scrubbed(error.message) };
  }
}

async function chainOf(client: CheckedClient, image: ImageName, place: Surroundings): Promise<Chain> {
  const { machine, words, home } = place;
  const findLogin = await loginsOf(client, place);
  if (client === 'containerd')
    return hostsChain(image, { machine, findLogin, folder: fileOf(words['hosts-dir'], hostsDir) });
  if (client === 'docker')
    return daemonChain(image, { machine, findLogin, file: fileOf(words['daemon-json'], daemonJson) });
  const own = words['registries-conf'] ?? place.env['CONTAINERS_REGISTRIES_CONF'];
  const user = client === 'podman' ? [join(home, '.config/containers/registries.conf')] : [];
  const usual = [...user, registries];
  const mainFiles = own === undefined ? usual : [namedPath(own)];
  const folders = words['registries-conf'] === undefined ? [registries, ...user] : mainFiles;
  return registriesChain(image, {
    ...{ machine, client, findLogin, mainFiles },
    folders: folders.map((file) => `${file}.d`),
  });
}

function fileOf(named: string | undefined, usual: string): string {
  return named === undefined ? usual : namedPath(named);
}

/** containerd has no file of logins: the kubelet's are for the registry that the pod names. */
async function loginsOf(
  client: CheckedClient,
  { machine, words, env, home }: Surroundings,
): Promise<FindLogin> {
  const named = words['auth-file'];
  if (named !== undefined) return createLogins(machine, [namedPath(named)]);
  const docker = join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json');
  if (client === 'containerd') return createLogins(machine, []);
  if (client === 'docker') return createLogins(machine, [docker]);
  if (client === 'cri-o') return createLogins(machine, [await globalAuthFile(machine)]);
  const chosen = env['REGISTRY_AUTH_FILE'];
  if (chosen !== undefined && chosen !== '') return createLogins(machine, [namedPath(chosen)]);
  const runtime = env['XDG_RUNTIME_DIR'] ?? `/run/containers/${userInfo().uid}`;
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  return createLogins(machine, [
    `${runtime}/containers/auth.json`,
    `${runtime}/auth.json`,
    `${config}/containers/auth.json`,
    docker,
  ]);
}

/** Of CRI-O's settings, the last that names one; else the kubelet's, which is OpenShift's. */
async function globalAuthFile(machine: Machine): Promise<string> {
  let found = '/var/lib/kubelet/config.json';
  const names = await machine.list(`${crioConf}.d`);
  for (const file of [crioConf, ...names.map((name) => `${crioConf}.d/${name}`)]) {
    const image = field(field(await machine.toml(file), 'crio'), 'image');
    found = textOf(field(image, 'global_auth_file')) ?? found;
  }
  return found;
}
