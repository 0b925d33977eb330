import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, count, duration, rate } from '../flags/values.ts';

export const drillFlags = {
  list: { ...boolean, help: 'print the drills, and play none' },
  only: { isList: true, value: 'NAME', help: 'play this drill, or all of this layer, such as s3' },
  short: { ...boolean, help: 'some drills, each of seconds: two minutes in all' },
  hold: {
    value: 'DURATION',
    read: duration,
    help: 'how long each fault lasts at least; default 12s, with --short 5s',
  },
  rate: { value: 'N', read: rate, default: '3', help: 'pulls that begin in a second' },
  replicas: { value: 'N', read: count, default: '3', help: 'of the fleet' },
  settings: {
    value: 'FILE',
    help: 'settings of yours in JSON, such as limits, tags and memory, in place of the defaults; a section upstream has settings of the upstream',
  },
  versitygw: { value: 'FILE', help: 'the S3 server; default: versitygw on PATH' },
  prometheus: { value: 'FILE', help: 'evaluates the shipped alerts; default: prometheus on PATH' },
  beside: {
    value: 'FILE',
    help: 'distribution 3, the registry program, as a cache beside us: the same pulls in the drills of the upstream, and of processes that end or stand still',
  },
  output: {
    short: 'o',
    value: 'text|json|FILE.json',
    words: ['text', 'json'],
    default: 'text',
    help: 'json: the whole result; FILE.json: the same written to FILE.json, and beside it the page as FILE.md',
  },
} as const satisfies FlagTable;

export const drillPage: CommandPage = {
  about: `Starts a fleet of this program on loopback, with a registry, an S3 server, an API server and clients of its own; then troubles one part after another, and looks at what the clients get. See docs/drill.md.`,
  flags: drillFlags,
  notes: `Faults of disks need root on Linux, those of limits prlimit. What cannot be played is listed, with the reason.`,
  examples: ['quayside drill --list', 'quayside drill --short', 'quayside drill --only s3 -o result.json'],
  exits: `Exits with 0 when every drill kept its bars, 1 when one missed a bar or none could be played, 2 for a mistake, 130 or 143 when stopped.`,
  words: [],
};
