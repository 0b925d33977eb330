// Room `cli/commands`: the table of commands. In: the words of a command line. Out: the exit code.
// Imports: every room below.

import type { NodePlaces } from '../../proxy/console/data.ts';
import type { Start } from '../serve/serve.ts';
import type { Command } from './command.ts';

/** Loaded last: a mistake in the command line or the configuration is reported without it. */
const startApp: Start = async (config, options) =>
  (await import('../../app/app.ts')).createService(config, { ...options, nodePlaces });

const nodePlaces: NodePlaces = async (conf, image) =>
  (await import('../explain/node-places.ts')).nodePlaces(conf, image);

/**
 * Every command, in the order of the help. A group that has the name of a longer one comes after
 * it.
 */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'serve container clients until stopped',
    usage: '[--config FILE] [--log-format pretty]',
    page: async () => (await import('../pages/server.ts')).servePage,
    run: async (args, io) => (await import('../serve/serve.ts')).serving(startApp)(args, io),
  },
  {
    name: 'proxy',
    summary: 'serve in place of qci-appci, with its command line',
    usage: '[-FLAG=VALUE]...',
    page: async () => (await import('../../predecessors/commands/pages.ts')).proxyPage,
    run: async (args, io) =>
      (await import('../../predecessors/commands/proxy.ts')).proxying(startApp)(args, io),
  },
  {
    name: 'config check',
    summary: 'print every fault of a configuration file',
    usage: '[--deep | --without-files] [-o json] FILE',
    page: async () => (await import('../pages/config.ts')).configCheckPage,
    run: async (args, io) => (await import('./check.ts')).check(args, io),
  },
  {
    name: 'config schema',
    summary: 'print the JSON Schema of configuration files, for editors',
    usage: '',
    page: async () => (await import('../pages/config.ts')).configSchemaPage,
    run: async (args, io) => (await import('./schema.ts')).schema(args, io),
  },
  {
    name: 'evict',
    summary: 'delete the least recently used content, down to the low-water mark',
    usage: '[--config FILE] [--dry-run] [-o json]',
    page: async () => (await import('../pages/store.ts')).evictPage,
    run: async (args, io) => (await import('./evict.ts')).evict(args, io),
  },
  {
    name: 'status',
    summary: 'print the conditions of a running server',
    usage: '[--watch] [-o json] [--config FILE | --admin URL] [--token-file FILE]',
    page: async () => (await import('../pages/server.ts')).statusPage,
    run: async (args, io) => (await import('../serve/status.ts')).statusShown(args, io),
  },
  {
    name: 'bucket ensure',
    summary: 'create the bucket of the store, and the settings that it lacks',
    usage: '--config FILE [--confirm] [CREDENTIALS] [--tag KEY=VALUE]... [--kms-key ID] [--cleanup-days N]',
    page: async () => (await import('../pages/store.ts')).bucketEnsurePage,
    run: async (args, io) => (await import('./bucket-ensure.ts')).bucketEnsure(args, io),
  },
  {
    name: 'access check',
    summary: 'print whether a user may pull from a host, and why',
    usage: '--config FILE [--host HOST] --as USER [--groups A,B] [--cluster NAME] [-o json] REFERENCE',
    page: async () => (await import('../pages/server.ts')).accessCheckPage,
    run: async (args, io) => {
      const { accessSources } = await import('../access/access-sources.ts');
      return (await import('../access/access-check.ts')).checkingAccess(accessSources)(args, io);
    },
  },
  {
    name: 'access forget',
    summary: 'make a running server forget remembered logins and rights',
    usage: '[--config FILE | --admin URL] [--token-file FILE]',
    page: async () => (await import('../pages/server.ts')).accessForgetPage,
    run: async (args, io) => (await import('../access/access-forget.ts')).accessForget(args, io),
  },
  {
    name: 'clients generate',
    summary: 'print or write the files that make clients pull through Quayside',
    usage: '--host HOST[:PORT] [--for CLIENT]... [--source NAME]... [OPTION]...',
    page: async () => (await import('../pages/clients.ts')).generatePage,
    run: async (args, io) => (await import('../clients/generate/generate.ts')).clientsGenerate(args, io),
  },
  {
    name: 'clients check',
    summary: 'pull through each place that a client of this machine asks, and say which answers',
    usage: '[--client CLIENT]... [OPTION]... REFERENCE',
    page: async () => (await import('../pages/clients.ts')).clientsCheckPage,
    run: async (args, io) => (await import('../clients/check/check.ts')).clientsCheck(args, io),
  },
  {
    name: 'explain',
    summary: 'say why an image cannot be pulled, step by step, and what to do about it',
    usage: '[--config FILE | --admin URL] [--as USER [--groups A,B]] [OPTION]... WHAT...',
    page: async () => (await import('../pages/explain.ts')).explainPage,
    run: async (args, io) => (await import('../explain/explain.ts')).explain(args, io),
  },
  {
    name: 'mirror serve',
    summary: 'mirror images in place of ci-images-mirror, with its command line',
    usage: '[--FLAG=VALUE]...',
    page: async () => (await import('../../predecessors/commands/pages.ts')).mirrorServePage,
    run: async (args, io) =>
      (await import('../../predecessors/commands/mirror-serve.ts')).mirrorServing(startApp)(args, io),
  },
  {
    name: 'mirror validate',
    summary: 'print objections to a configuration of the image mirroring',
    usage: '--config FILE [--against FILE|URL] [--release-repo-git-sync-path DIR] [-a FILE]',
    page: async () => (await import('../pages/holds.ts')).validatePage,
    run: async (args, io) => (await import('../mirror/validate.ts')).validating()(args, io),
  },
  {
    name: 'mirror hold',
    summary: 'keep the mirror of a running server from overwriting an image',
    usage: '[--until TIME] [--why TEXT] [--config FILE | --admin URL] [--token-file FILE] DESTINATION',
    page: async () => (await import('../pages/holds.ts')).holdPage,
    run: async (args, io) => (await import('../mirror/hold.ts')).mirrorHold(args, io),
  },
  {
    name: 'mirror release',
    summary: 'let the mirror of a running server overwrite a held image again',
    usage: '[--config FILE | --admin URL] [--token-file FILE] DESTINATION',
    page: async () => (await import('../pages/holds.ts')).releasePage,
    run: async (args, io) => (await import('../mirror/hold.ts')).mirrorRelease(args, io),
  },
  {
    name: 'mirror verify',
    summary: 'check that every image of a mapping is at its destination, whole',
    usage: '[OPTION]... [SRC=DST... | SRC DST [DST]...] [-f FILE]...',
    page: async () => (await import('../pages/mirror.ts')).verifyPage,
    run: async (args, io) => (await import('../images/verify.ts')).mirrorVerify(args, io),
  },
  {
    name: 'mirror',
    summary: 'copy images between registries and directories, as oc image mirror does',
    usage: '[OPTION]... [SRC=DST... | SRC DST [DST]...] [-f FILE]...',
    mistakeCode: 1,
    page: async () => (await import('../pages/mirror.ts')).mirrorPage,
    run: async (args, io) => (await import('../mirror/mirror.ts')).mirroring()(args, io),
  },
  {
    name: 'image info',
    summary: 'show digest, layers, configuration, platforms and signatures of images, as oc image info does',
    usage: '[OPTION]... REF...',
    page: async () => (await import('../pages/image.ts')).infoPage,
    run: async (args, io) => (await import('../images/info.ts')).imageInfo()(args, io),
  },
  {
    name: 'revert',
    summary: 'set a tag back to an image that it named before, and hold it against the mirror',
    usage: '[--version N] [--confirm] [OPTION]... TAG',
    page: async () => (await import('../pages/holds.ts')).revertPage,
    run: async (args, io) => (await import('../images/revert.ts')).reverting()(args, io),
  },
  {
    name: 'prune tags',
    summary: 'delete tags that keep what promotion and the mirror overwrote, once they are old',
    usage: '[--confirm] [OPTION]... [REGISTRY/REPOSITORY]',
    page: async () => (await import('../pages/prune.ts')).pruneTagsPage,
    run: async (args, io) => (await import('../prune/tags.ts')).pruningTags()(args, io),
  },
  {
    name: 'prune images',
    summary: 'delete old images of the integrated registry of a cluster, or of repositories',
    usage: '[--confirm] [OPTION]... | --repository REGISTRY/REPOSITORY... [--confirm] [OPTION]...',
    page: async () => (await import('../pages/prune.ts')).pruneImagesPage,
    run: async (args, io) => (await import('../prune/images.ts')).pruningImages()(args, io),
  },
  {
    name: 'migrate image-references',
    summary: 'make the objects of a cluster name images where they are now',
    usage: '[--confirm] [--include KIND,...] [OPTION]... FROM=TO... | -f FILE...',
    page: async () => (await import('../pages/migrate.ts')).migratePage,
    run: async (args, io) => (await import('../migrate/migrate.ts')).migratingReferences()(args, io),
  },
  {
    name: 'drill',
    summary: 'trouble a fleet part by part, and say what its clients get',
    usage: '[--short] [--only NAME]... [OPTION]... [-o json|FILE.json]',
    page: async () => (await import('../pages/drill.ts')).drillPage,
    run: async (args, io) => (await import('../drill/drill.ts')).drill(args, io),
  },
  {
    name: 'load front',
    summary: 'count what a registry or cache under load takes from its upstream',
    usage: '--upstream URL [--listen HOST:PORT]',
    page: async () => (await import('../pages/load.ts')).frontPage,
    run: async (args, io) => (await import('../load/front.ts')).loadFront(args, io),
  },
  {
    name: 'load compare',
    summary: 'compare two loads, or two series of loads, as a table of Markdown',
    usage: 'A.json[,A2.json]... B.json[,B2.json]...',
    page: async () => (await import('../pages/load.ts')).comparePage,
    run: async (args, io) => (await import('../load/compare.ts')).loadCompare(args, io),
  },
  {
    name: 'load',
    summary: 'load any registry or cache with pulls, and report what they took',
    usage: '--target URL [OPTION]...',
    page: async () => (await import('../pages/load.ts')).loadPage,
    run: async (args, io) => (await import('../load/load.ts')).load(args, io),
  },
  {
    name: 'simulate',
    summary: 'predict hits, traffic, money and limits of a fleet under a load',
    usage: '[--trace FILE] [--replicas N] [--disk SIZE[,SIZE]...] [OPTION]...',
    page: async () => (await import('../simulate/page.ts')).simulatePage,
    run: async (args, io) => (await import('../simulate/simulate.ts')).simulate(args, io),
  },
  {
    name: 'completion',
    summary: 'print what lets a shell complete commands, options and files',
    usage: 'bash|zsh|fish',
    page: async () => (await import('../pages/config.ts')).completionPage,
    run: async (args, io) => (await import('./completion.ts')).completing(commands)(args, io),
  },
  {
    name: 'version',
    summary: 'print the version',
    usage: '[-o json]',
    page: async () => (await import('../pages/config.ts')).versionPage,
    run: async (args, io) => (await import('./version.ts')).version(args, io),
  },
];
