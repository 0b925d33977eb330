import { setTimeout as after } from 'node:timers/promises';
import { type PulledImage, pullBlob, pullImage } from './client.ts';
import { type DemoImages, largestLayer, otherManifestBytes, platformBytes } from './images.ts';
import { type Row, size } from './row.ts';
import type { DemoUpstream, Traffic } from './upstream.ts';

/** What a step may use. */
export interface Stage {
  /** Quayside. */
  readonly origin: string;
  readonly upstream: DemoUpstream;
  readonly images: DemoImages;
  /** How long a tag stays fresh, in milliseconds. */
  readonly freshMs: number;
}

/** One stop of the tour. */
export interface Step {
  readonly what: string;
  readonly asked: string;
  /** Bytes that the clients will get in all. */
  expected(images: DemoImages): number;
  /** The upstream's traffic is added by the caller. */
  run(stage: Stage, received: (bytes: number) => void): Promise<Outcome>;
  /** What the upstream may have seen, given what happened. */
  allows(upstream: Traffic, images: DemoImages): boolean;
}

type Outcome = Pick<Row, 'answer' | 'bytes' | 'ms' | 'isRight'>;

const [amd64, arm64] = ['linux/amd64', 'linux/arm64'];
const herdSize = 20;
const part = { start: 100_000_000, end: 108_388_607 };

const cold: Step = {
  what: 'cold pull',
  asked: `demo/app:v1, ${amd64}`,
  expected: ({ app }) => platformBytes(app, amd64),
  run: async (stage, received) => whole(await pullApp(stage, received)),
  allows: ({ bytes }, { app }) => bytes === platformBytes(app, amd64) + otherManifestBytes(app, amd64),
};

const warm: Step = {
  what: 'warm pull',
  asked: 'the same again',
  expected: ({ app }) => platformBytes(app, amd64),
  run: async (stage, received) => whole(await pullApp(stage, received)),
  allows: ({ requests }) => requests === 0,
};

const herd: Step = {
  what: `herd of ${herdSize}`,
  asked: `one cold layer, ${herdSize} clients`,
  expected: ({ app }) => herdSize * largestLayer(app, arm64).size,
  async run({ origin, images, upstream }, received) {
    const layer = largestLayer(images.app, arm64);
    const before = upstream.traffic().bytes;
    const path = `/v2/demo/app/blobs/${layer.digest}`;
    const clients = Array.from({ length: herdSize }, (_, i) =>
      pullBlob({ origin, received, path, isChecked: i === 0 }),
    );
    const pulled = await Promise.all(clients);
    const times = (upstream.traffic().bytes - before) / layer.size;
    return {
      answer: `upstream bytes ÷ layer = ${times.toFixed(2)}`,
      bytes: pulled.reduce((sum, { bytes }) => sum + bytes, 0),
      ms: Math.max(...pulled.map(({ totalMs }) => totalMs)),
      isRight:
        pulled.every(({ isWhole, status }) => isWhole && status === 200) &&
        pulled[0]?.digest === layer.digest,
    };
  },
  allows: ({ bytes }, { app }) => bytes === largestLayer(app, arm64).size,
};

const resumed: Step = {
  what: 'resumed pull',
  asked: 'a layer; the upstream cut at 50 %',
  expected: ({ model }) => largestLayer(model, amd64).size,
  async run({ origin, images, upstream }, received) {
    const { digest, size: total } = largestLayer(images.model, amd64);
    upstream.cutNextAfter(total / 2);
    const pulled = await pullBlob({
      origin,
      received,
      path: `/v2/demo/model/blobs/${digest}`,
      isChecked: true,
    });
    const isRight = pulled.status === 200 && pulled.digest === digest;
    return {
      answer: isRight ? '200, whole, digest right' : `${pulled.status}, broken`,
      ...times(pulled),
      isRight,
    };
  },
  allows: ({ requests, bytes }, { model }) =>
    requests >= 2 && bytes <= largestLayer(model, amd64).size * 1.05,
};

const range: Step = {
  what: 'range',
  asked: '8 MiB from within a layer',
  expected: () => part.end - part.start + 1,
  async run({ origin, images }, received) {
    const path = `/v2/demo/app/blobs/${largestLayer(images.app, amd64).digest}`;
    const pulled = await pullBlob({ origin, received, path, range: `bytes=${part.start}-${part.end}` });
    const isRight = pulled.status === 206 && pulled.bytes === part.end - part.start + 1;
    return { answer: `${pulled.status}, ${size(pulled.bytes)}`, ...times(pulled), isRight };
  },
  allows: ({ requests }) => requests === 0,
};

const orphaned: Step = {
  what: 'upstream dead',
  asked: 'demo/app:v1, its tag due for a check',
  expected: ({ app }) => platformBytes(app, amd64),
  async run(stage, received) {
    await stage.upstream.die();
    await after(stage.freshMs);
    return whole(await pullApp(stage, received));
  },
  allows: ({ requests }) => requests === 0,
};

const refused: Step = {
  what: 'refused',
  asked: 'private/app:v1, not allowed',
  expected: () => 0,
  async run({ origin }, received) {
    const repository = 'private/app';
    const pulled = await pullImage({ origin, received, repository, tag: 'v1', platform: amd64 });
    const isRight = pulled.status === 404 && pulled.code === 'NAME_UNKNOWN';
    return { answer: `${pulled.status} ${pulled.code ?? ''}`, bytes: pulled.bytes, ms: pulled.ms, isRight };
  },
  allows: ({ requests }) => requests === 0,
};

/** The tour, in its order: `upstream dead` comes after everything that needs it. */
export const steps: readonly Step[] = [cold, warm, herd, resumed, range, refused, orphaned];

function pullApp({ origin }: Stage, received: (bytes: number) => void): Promise<PulledImage> {
  return pullImage({ origin, received, repository: 'demo/app', tag: 'v1', platform: amd64 });
}

/** Index, manifest, config and three layers. */
function whole(pulled: PulledImage): Outcome {
  const isRight = pulled.status === 200 && pulled.parts === 6;
  const warning = pulled.warning === undefined ? '' : `, Warning ${pulled.warning.slice(0, 3)}`;
  const answer = `${pulled.status}, ${pulled.parts} of 6 digests right${warning}`;
  return { answer, bytes: pulled.bytes, ms: pulled.ms, isRight };
}

function times({
  bytes,
  totalMs,
}: {
  readonly bytes: number;
  readonly totalMs: number;
}): Pick<Row, 'bytes' | 'ms'> {
  return { bytes, ms: totalMs };
}
