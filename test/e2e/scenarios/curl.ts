import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wholeOf } from '../../../src/load/images/random-blobs.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { pushImage } from '../../support/images.ts';
import { fileDigest } from '../fixtures/compare.ts';
import { largest, onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { blobGets, contentRequests, registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** The wire itself, as curl sees it: ranges, conditions, HEAD, refusals. */
export const curl: Scenario = {
  name: 'curl',
  needs: ['docker-registry', 'curl'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const config = { tags: { freshMs: 300, refreshBehindMs: 0 } };
    const proxy = await quayside(stage, {
      upstream: upstream.url,
      upstreamFields: { repositories: ['team/**'] },
      config,
    });
    const image = await onePlatform('curl');
    await pushImage(upstream.url, 'team/app', 'one', image);
    const ask = asker(scene);
    const base = `${proxy.url}/v2/${upstreamName}/team/app`;
    const blob = largest(image);
    const { digest, size } = blob.descriptor;
    const whole = await wholeOf(blob.body());
    const blobUrl = `${base}/blobs/${digest}`;

    await fact('the ping is 200 and names the API', async () => {
      const { status, headers } = await ask(`${proxy.url}/v2/`);
      assert.equal(status, 200);
      assert.equal(headers.get('docker-distribution-api-version'), 'registry/2.0');
    });
    await fact('a cold range is a 206 with exactly those bytes', async () => {
      const { status, headers, body } = await ask(blobUrl, '-r', '500-1499');
      assert.equal(status, 206);
      assert.equal(headers.get('content-range'), `bytes 500-1499/${size}`);
      assert.equal(headers.get('content-length'), '1000');
      assert.deepEqual(body, whole.subarray(500, 1500));
    });
    await fact('20 clients at once on a cold blob cost the upstream one request', async () => {
      const cold = await onePlatform('curl, a herd', 'oci', 32);
      await pushImage(upstream.url, 'team/app', 'herd', cold);
      const wanted = largest(cold).descriptor.digest;
      await ask(`${base}/manifests/herd`);
      await upstream.forget();
      const url = `${base}/blobs/${wanted}`;
      const files = Array.from({ length: 20 }, (_, index) => join(stage.directory, `herd-${index}`));
      await Promise.all(files.map((file) => stage.run(scene.path('curl'), ['-sSf', '-o', file, url])));
      for (const file of files) assert.equal(await fileDigest(file), wanted);
      assert.equal(blobGets(await upstream.asked(), wanted), 1);
    });
    await fact('a manifest has its type, digest, length and bytes, by tag and by digest', async () => {
      for (const reference of ['one', image.root.descriptor.digest]) {
        const { status, headers, body } = await ask(`${base}/manifests/${reference}`);
        assert.equal(status, 200);
        assert.equal(headers.get('content-type'), mediaTypes.ociManifest);
        assert.equal(headers.get('docker-content-digest'), image.root.descriptor.digest);
        assert.equal(headers.get('content-length'), String(image.root.bytes.byteLength));
        assert.deepEqual(body, Buffer.from(image.root.bytes));
      }
    });
    await fact('a HEAD has the same headers and no body, for manifests and blobs', async () => {
      for (const url of [`${base}/manifests/one`, blobUrl]) {
        const [get, head] = [await ask(url), await ask(url, '-I')];
        assert.equal(head.status, 200);
        assert.equal(head.body.byteLength, 0);
        for (const name of ['content-type', 'content-length', 'docker-content-digest', 'etag']) {
          assert.equal(head.headers.get(name), get.headers.get(name), name);
        }
      }
    });
    await fact(
      'a whole blob is byte for byte and carries no encoding, even when one is offered',
      async () => {
        const { headers, body } = await ask(blobUrl, '-H', 'accept-encoding: zstd, gzip');
        assert.equal(digestOf(body), digest);
        assert.equal(headers.get('content-encoding'), undefined);
        assert.equal(headers.get('accept-ranges'), 'bytes');
      },
    );
    await fact('open and suffix ranges are right', async () => {
      const open = await ask(blobUrl, '-r', `${size - 100}-`);
      const suffix = await ask(blobUrl, '-r', '-100');
      assert.deepEqual([open.status, suffix.status], [206, 206]);
      assert.deepEqual(open.body, whole.subarray(size - 100));
      assert.deepEqual(suffix.body, whole.subarray(size - 100));
    });
    await fact('a list of ranges is multipart/byteranges with those parts in that order', async () => {
      const { status, headers, body } = await ask(blobUrl, '-r', '1000-1009,0-4,-5');
      assert.equal(status, 206);
      assert.match(headers.get('content-type') ?? '', /^multipart\/byteranges; boundary=/);
      assert.equal(headers.get('content-length'), String(body.byteLength));
      const parts = partsOf(body, headers.get('content-type') ?? '');
      assert.deepEqual(parts, [whole.subarray(1000, 1010), whole.subarray(0, 5), whole.subarray(size - 5)]);
    });
    await fact('1,024 ranges in one header of 20 KB are answered with 1,024 parts', async () => {
      const ranges = Array.from({ length: 1024 }, (_, index) => `${index * 5000}-${index * 5000 + 9}`);
      const { status, headers, body } = await ask(blobUrl, '-r', ranges.join(','));
      assert.equal(status, 206);
      assert.equal(partsOf(body, headers.get('content-type') ?? '').length, 1024);
    });
    await fact('a range beyond the end is a 416 that tells the size', async () => {
      const { status, headers } = await ask(blobUrl, '-H', `range: bytes=${size}-`);
      assert.equal(status, 416);
      assert.equal(headers.get('content-range'), `bytes */${size}`);
    });
    await fact('curl resumes a download where it stopped', async () => {
      const file = join(stage.directory, 'resumed');
      await stage.run(scene.path('curl'), ['-sSf', '-r', '0-999999', '-o', file, blobUrl]);
      await stage.run(scene.path('curl'), ['-sSf', '-C', '-', '-o', file, blobUrl]);
      assert.deepEqual(await readFile(file), whole);
    });
    await fact('If-None-Match with the ETag is a 304, If-Range with another one the whole blob', async () => {
      const etag = (await ask(blobUrl, '-I')).headers.get('etag') ?? '';
      assert.equal((await ask(blobUrl, '-H', `if-none-match: ${etag}`)).status, 304);
      assert.equal((await ask(blobUrl, '-r', '0-9', '-H', `if-range: ${etag}`)).status, 206);
      const other = await ask(blobUrl, '-r', '0-9', '-H', 'if-range: "another"');
      assert.equal(other.status, 200);
      assert.equal(other.body.byteLength, size);
    });
    await fact('what is absent is a 404 with the code of the spec', async () => {
      const absent = `sha256:${'0'.repeat(64)}`;
      assert.deepEqual(await refusal(ask, `${base}/manifests/absent`), [404, 'MANIFEST_UNKNOWN']);
      assert.deepEqual(await refusal(ask, `${base}/manifests/${absent}`), [404, 'MANIFEST_UNKNOWN']);
      assert.deepEqual(await refusal(ask, `${base}/blobs/${absent}`), [404, 'BLOB_UNKNOWN']);
    });
    await fact('a write is 405 UNSUPPORTED', async () => {
      assert.deepEqual(await refusal(ask, `${base}/blobs/uploads/`, '-X', 'POST'), [405, 'UNSUPPORTED']);
      assert.deepEqual(await refusal(ask, `${base}/manifests/one`, '-X', 'DELETE'), [405, 'UNSUPPORTED']);
    });
    await fact(
      'an unconfigured registry or repository is 404 NAME_UNKNOWN, without a request to an upstream',
      async () => {
        await upstream.forget();
        const other = `${proxy.url}/v2/team/app/manifests/one?ns=elsewhere.test`;
        const foreign = `${proxy.url}/v2/${upstreamName}/private/app/manifests/one`;
        assert.deepEqual(await refusal(ask, other), [404, 'NAME_UNKNOWN']);
        assert.deepEqual(await refusal(ask, foreign), [404, 'NAME_UNKNOWN']);
        assert.deepEqual(contentRequests(await upstream.asked()), []);
      },
    );
    await fact('a traversal, in whatever encoding, reaches no upstream', async () => {
      await upstream.forget();
      for (const path of [
        '/v2/../../etc/passwd',
        '/v2/%2e%2e/x/manifests/one',
        '/v2/a%2F..%2Fb/manifests/one',
      ]) {
        const { status } = await ask(proxy.url + path, '--path-as-is');
        assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
      }
      assert.deepEqual(contentRequests(await upstream.asked()), []);
    });
    await fact('a tag that moves upstream is seen once its fresh time is over', async () => {
      const next = await onePlatform('curl, next', 'oci', 1);
      await ask(`${base}/manifests/one`);
      await pushImage(upstream.url, 'team/app', 'one', next);
      await ask(`${base}/manifests/one`);
      const deadline = performance.now() + 5_000;
      let seen: string | undefined;
      while (seen !== next.root.descriptor.digest && performance.now() < deadline) {
        seen = (await ask(`${base}/manifests/one`)).headers.get('docker-content-digest');
      }
      assert.equal(seen, next.root.descriptor.digest);
    });
    await fact('what the tag was before is still served by its digest', async () => {
      const { body } = await ask(`${base}/manifests/${image.root.descriptor.digest}`);
      assert.deepEqual(body, Buffer.from(image.root.bytes));
    });
  },
};

interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly body: Buffer;
}

type Ask = (url: string, ...args: readonly string[]) => Promise<Answer>;

/** curl without following or retrying, its header dump read back. */
function asker({ stage, path }: Scene): Ask {
  const headerFile = join(stage.directory, 'headers');
  return async (url, ...args) => {
    const { bytes } = await stage.run(path('curl'), ['-sS', '-D', headerFile, ...args, url]);
    const lines = (await readFile(headerFile, 'latin1')).trimEnd().split('\r\n');
    const pairs = lines.slice(1).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
    const headers = new Map(pairs);
    const body = args.includes('-I') ? Buffer.alloc(0) : bytes;
    return { status: Number(lines[0]?.split(' ')[1]), headers, body };
  };
}

async function refusal(
  ask: Ask,
  url: string,
  ...args: readonly string[]
): Promise<readonly [number, string]> {
  const { status, body } = await ask(url, ...args);
  const told = JSON.parse(body.toString()) as { errors: { code: string }[] };
  return [status, told.errors[0]?.code ?? ''];
}

/** The bodies of a `multipart/byteranges`. */
function partsOf(body: Buffer, contentType: string): readonly Buffer[] {
  const boundary = `--${/boundary="?([^";]+)/.exec(contentType)?.[1] ?? ''}`;
  const parts: Buffer[] = [];
  let at = body.indexOf(boundary);
  while (at >= 0) {
    const next = body.indexOf(`\r\n${boundary}`, at + boundary.length);
    if (next < 0) break;
    parts.push(body.subarray(body.indexOf('\r\n\r\n', at) + 4, next));
    at = next + 2;
  }
  return parts;
}
