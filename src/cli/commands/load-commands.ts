import type { Command } from './command.ts';

/** Load on a registry, and the front that counts behind it. The longer name comes first. */
export const loadCommands: readonly Command[] = [
  {
    name: 'load front',
    summary: 'count what a registry or cache under load takes from its upstream',
    usage: '--upstream URL [--listen HOST:PORT]',
    help: `  --upstream URL       where requests are passed to
  --listen HOST:PORT   default 127.0.0.1:8410; plain HTTP

Point the upstream of the cache to it, and give its URL to quayside load --front. Until stopped. Redirects pass as they are: bytes from
storage behind the upstream do not come this way, and are not counted.`,
    run: async (args, io) => (await import('../load/front.ts')).loadFront(args, io),
  },
  {
    name: 'load compare',
    summary: 'compare two loads, or two series of loads, as a table of Markdown',
    usage: 'A.json[,A2.json]... B.json[,B2.json]...',
    help: 'The reports of quayside load --output. Of several a side: medians with their spread, and the ratio of each pair of runs.',
    run: async (args, io) => (await import('../load/compare.ts')).loadCompare(args, io),
  },
  {
    name: 'load',
    summary: 'load any registry or cache with pulls, and report what they took',
    usage: '--target URL [OPTION]...',
    help: `Where
  --target URL             the registry or cache; http:// or https://
  --mirror-of HOST         ask for content of this registry, as its mirror: --mirror-by ns (?ns=HOST, the default), host, or path
  --host NAME              the Host header, where it is not that of the URL
  --ca FILE, --authfile FILE, --username-file FILE --password-file FILE, --token-file FILE
  --i-operate-this         allow a target that is not loopback and not private

Of what
  --images N               the images of the model, load/image-0 to load/image-(N-1); default 20
  --images FILE            a file with REPOSITORY:TAG or REPOSITORY@DIGEST, one a line, the most wanted first
  --images catalog         every tag in the catalog of --from URL or of the target; --repository NAME (repeated): of these only
  --trace FILE             requests of a log instead, at their times: --trace-format NAME, --speed 10x; see docs/load-traces.md
  --map-trace              ... of the --images that the target has, in place of those that the trace names
  --seed URL               push the images of the model to this registry first: the target, or its upstream. Alone: only push
  --layers N, --layers N-M, --sizes SIZES, --shared SHARE, --prefix NAME, --random N    of the model: see docs/load.md

How
  --rate N                 pulls that begin in a second, whether or not earlier ones have ended; default 2, --spacing poisson or even
  --zipf S                 how unequal the images are wanted; default 0.9
  --nodes N, --per-node N  nodes with connections of their own, and requests that each makes at a time; default 50 and 6
  --client NAME            podman, containerd or plain (no retries); --platform OS/ARCH; --keep: nodes do not pull a blob twice
  --herd DURATION          all nodes pull one image at the same time, each time after so long
  --moves DURATION         a tag moves, each time after so long; at --seed
  --ranges N               lazy pulls: N ranges of --range-bytes (128KiB) of each layer
  --closed N               N pulls at a time instead of a rate: slow answers then slow the load

Bounds, all of which hold: --duration 60s, --drain 30s, --max-requests 1000000, --max-bytes 20GB, --max-concurrency 2000

What is measured
  --processes N            generator processes; default 1. --verify-threads N of each check digests; --no-verify
  --front URL              a quayside load front, or --metrics URL, the metrics page of the target: bytes from its upstream
  --find-knee              raise the rate by --knee-factor 1.5 until the p99 of whole pulls doubles, in --knee-steps 12 of --duration each
  --max-p99 DURATION, --max-errors N    what is a failure
  -o, --output FILE.json   the whole result, and beside it FILE.md with its plots as SVG; --title TEXT

Latencies are counted from when a pull was due. Exits with 0, with 1 for a wrong byte and beyond --max-p99 or --max-errors, 2 for a
mistake, 130 or 143 when stopped: the report is then of the time until then.`,
    run: async (args, io) => (await import('../load/load.ts')).load(args, io),
  },
];
