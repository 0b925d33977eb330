import { readFile } from 'node:fs/promises';
import { defined } from '../../base/text/defined.ts';
import type { MirrorSettings } from '../../config/config.ts';
import type { ConfigEntry, MirrorSource } from '../../explain/sources.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import { ignoredBy, type MirrorConfig } from '../../mirror/ci/config-file.ts';
import { type Path, parseLocatedYaml } from '../../mirror/ci/located-yaml.ts';
import { isSelected } from '../../mirror/ci/wanted.ts';
import { createHolds } from '../../mirror/queue/holds.ts';
import type { QueuedTask } from '../../mirror/queue/task.ts';
import { parseTask, taskKey } from '../../mirror/queue/task-record.ts';
import { imageReferenceOrNone } from '../../mirror/references/image-reference.ts';
import { appCiImage, quayImage } from '../../mirror/references/names.ts';
import type { Records } from '../../store/records.ts';

interface MirrorSourceOptions {
  readonly settings: MirrorSettings;
  readonly records: Records;
  /** What the configuration file says now. */
  readonly current: () => MirrorConfig | undefined;
  /** The task of this process, where it is the one that works. Default: none. */
  readonly running?: (destination: string) => QueuedTask | undefined;
}

/** The mirror's rules, queue and holds. Writes nothing. */
export function createMirrorSource({
  settings,
  records,
  current,
  running,
}: MirrorSourceOptions): MirrorSource {
  const holds = createHolds({ records });
  const { configFile: file } = settings;

  async function lineIn(path: Path): Promise<number | undefined> {
    try {
      return file === undefined ? undefined : parseLocatedYaml(await readFile(file)).lineOf(path);
    } catch {
      return undefined;
    }
  }

  return {
    where: file === undefined ? 'queue of the mirror' : `queue of the mirror, ${file}`,
    streamSource: (streamTag) => appCiImage(streamTag),
    hold: (destination) => holds.find(destination),
    async task(destination) {
      const own = running?.(destination);
      if (own !== undefined) return own;
      const record = await records.get(taskKey(destination));
      return record && parseTask(record.bytes);
    },
    async entries(streamTag, destination) {
      const config = current();
      if (config === undefined || file === undefined) return [];
      const found: ConfigEntry[] = [];
      for (const entry of entriesOf(config, streamTag, destination)) {
        const { path, ...rest } = entry;
        found.push({ ...rest, file, ...defined({ line: await lineIn(path) }) });
      }
      return found;
    },
  };
}

type FoundEntry = Omit<ConfigEntry, 'file' | 'line'> & { readonly path: Path };

function entriesOf(
  config: MirrorConfig,
  streamTag: ImageStreamTag | undefined,
  destination: string,
): readonly FoundEntry[] {
  const listed = [
    ...config.supplemental
      .filter(({ target }) => quayImage(target) === destination)
      .map(({ target, source }) => ({ section: 'supplementalCIImages', key: target, source: source.text })),
    ...config.qciToAppCi
      .filter(({ target }) => appCiImage(target) === destination)
      .map(({ target, source }) => ({ section: 'qciToAppCIImages', key: target, source: source.text })),
  ].map(({ section, key, source }) => ({ section, source, path: [section, imageStreamTagText(key)] }));
  if (streamTag === undefined) return listed;
  const own = appCiImage(streamTag);
  const art = isSelected(config.art, streamTag)
    ? [{ section: 'artImages', source: own, path: ['artImages', selectorOf(config, streamTag)] }]
    : [];
  const sources = [...listed.map(({ source }) => source), own].flatMap(
    (text) => imageReferenceOrNone(text) ?? [],
  );
  const ignored = sources.flatMap((source) => ignoredBy(config, source) ?? []).slice(0, 1);
  return [
    ...listed,
    ...art,
    ...ignored.map((entry) => ({
      section: 'ignoredSources',
      source: entry.source,
      path: ['ignoredSources', config.ignored.indexOf(entry)],
      ...(entry.reason === '' ? {} : { reason: entry.reason }),
    })),
  ];
}

function selectorOf({ art }: MirrorConfig, streamTag: ImageStreamTag): number {
  return art.findIndex((selector) => isSelected([selector], streamTag));
}
