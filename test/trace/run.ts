/**
 * `npm run trace [-- --files]`: what of `src` one request runs through, by V8's precise coverage:
 * files, functions and calls of each walk, before a registry double, with a filesystem store and no
 * login. `--files` also prints the files of each walk. Work behind an answer counts while it lasts
 * 300 ms.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { createService } from '../../src/app/app.ts';
import { load } from '../../src/config/load.ts';
import { logger } from '../../src/telemetry/log.ts';
import { registryDouble } from '../support/registry-double.ts';

const source = new URL('../../src/', import.meta.url).href;
const behindMs = 300;
const printsFiles = process.argv.includes('--files');

const directory = await mkdtemp(join(tmpdir(), 'quayside-trace-'));
const double = await registryDouble();
const image = double.addImage('team/app', 'v1', { layers: [2_000_000] });
const settings = {
  listen: '127.0.0.1:0',
  admin: { listen: '127.0.0.1:0' },
  store: { filesystem: { path: join(directory, 'store') } },
  upstreams: { 'quay.io': { url: double.url, allowPrivateAddresses: true } },
};
const log = logger({ level: 'info', destination: { write: () => undefined } });
const service = await createService(load(stringify(settings), {}), { log, env: {} });
const profiler = new Session();
profiler.connect();
await profiler.post('Profiler.enable');
await profiler.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

const tag = '/v2/quay.io/team/app/manifests/v1';
const blob = `/v2/quay.io/team/app/blobs/${image.layers[0]?.digest}`;
const walks = [
  { name: '`GET /v2/`', path: '/v2/' },
  { name: 'tag, cold', path: tag },
  { name: 'tag, again', path: tag },
  { name: 'blob 2 MB, cold', path: blob },
  { name: 'blob 2 MB, stored', path: blob },
];
await delay(1_000);
console.log('| request | src files entered | functions | calls |\n|---|---|---|---|');
for (const { name, path } of walks) {
  await profiler.post('Profiler.takePreciseCoverage');
  const answer = await fetch(`http://${service.address}${path}`);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
  await delay(behindMs);
  const { files, functions, calls } = await entered();
  console.log(`| ${name} | ${files.length} | ${functions} | ${calls} |`);
  if (printsFiles) console.log(files.map((file) => `  ${file}`).join('\n'));
}
profiler.disconnect();
await service.close();
await double.close();
await rm(directory, { recursive: true, force: true });

/** What ran since the last look. */
async function entered() {
  const { result } = await profiler.post('Profiler.takePreciseCoverage');
  const files: string[] = [];
  let functions = 0;
  let calls = 0;
  for (const script of result.filter(({ url }) => url.startsWith(source))) {
    const counts = script.functions.map(({ ranges }) => ranges[0]?.count ?? 0).filter((count) => count > 0);
    if (counts.length > 0) files.push(script.url.slice(source.length));
    functions += counts.length;
    calls += counts.reduce((sum, count) => sum + count, 0);
  }
  return { files, functions, calls };
}
