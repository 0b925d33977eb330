import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finished } from '../../test/support/run-command.ts';
import type { Column } from '../scenario.ts';
import type { MirroredImage } from './images.ts';

/**
 * A program that copies images from one registry to another; both are hosts. Resolves when nothing
 * more is tried.
 */
export interface Copier {
  readonly name: Extract<Column, 'quayside' | 'skopeo' | 'skopeo × 6'>;
  copy(images: readonly MirroredImage[], source: string, destination: string): Promise<void>;
}

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const longestMs = 15 * 60_000;
/** As many as `oc image mirror` asks one registry for at a time. */
const parallel = 6;

/** `quayside mirror -f`, all images in one process. */
export function quaysideMirror(directory: string): Copier {
  return {
    name: 'quayside',
    async copy(images, source, destination) {
      const file = join(directory, 'mapping.txt');
      const lines = images.map((image) => `${nameAt(source, image)}=${nameAt(destination, image)}\n`);
      await writeFile(file, lines.join(''));
      const args = [entry, 'mirror', '--insecure', '--continue-on-error', '-f', file];
      await run(process.execPath, args, directory);
    },
  };
}

/** `skopeo copy --all`, a process for each image, one by one or six at a time. */
export function skopeoCopy(
  skopeo: string,
  name: Extract<Copier['name'], 'skopeo' | 'skopeo × 6'>,
  directory: string,
): Copier {
  const insecure = ['--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  return {
    name,
    async copy(images, source, destination) {
      const waiting = images.values();
      const oneAfterTheOther = async () => {
        for (const image of waiting) {
          const places = [source, destination].map((registry) => `docker://${nameAt(registry, image)}`);
          await run(skopeo, ['copy', '--all', '--preserve-digests', ...insecure, ...places], directory);
        }
      };
      await Promise.all(Array.from({ length: name === 'skopeo' ? 1 : parallel }, oneAfterTheOther));
    },
  };
}

function nameAt(registry: string, { repository, tag }: MirroredImage): string {
  return `${registry}/${repository}:${tag}`;
}

/** What failed is counted by what is missing at the destination, not by exit codes. */
async function run(command: string, args: readonly string[], directory: string): Promise<void> {
  const auth = join(directory, 'no-credentials.json');
  await writeFile(auth, '{}');
  await finished(command, args, { env: { REGISTRY_AUTH_FILE: auth }, timeoutMs: longestMs, mayFail: true });
}
