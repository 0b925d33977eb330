/** A registry with one image, one of whose layers has another last byte than its digest says. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerQuestions } from './worker.ts';

export interface CorruptAnswer {
  readonly origin: string;
  readonly manifestPath: string;
  readonly blobPath: string;
  readonly digest: string;
}

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

answerQuestions(async (bytes: number): Promise<CorruptAnswer> => {
  const layer = Buffer.alloc(bytes, 'bench');
  const digest = digestOf(layer);
  const config = Buffer.from(
    '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.byteLength },
      layers: [{ mediaType: mediaTypes.layer, digest, size: bytes }],
    }),
  );
  layer[bytes - 1] = (layer[bytes - 1] ?? 0) ^ 1;
  const contents = new Map<string, readonly [type: string, body: Buffer]>([
    ['/v2/', ['application/json', Buffer.from('{}')]],
    ['/v2/bench/corrupt/manifests/v1', [mediaTypes.manifest, manifest]],
    [`/v2/bench/corrupt/manifests/${digestOf(manifest)}`, [mediaTypes.manifest, manifest]],
    [`/v2/bench/corrupt/blobs/${digestOf(config)}`, ['application/octet-stream', config]],
    [`/v2/bench/corrupt/blobs/${digest}`, ['application/octet-stream', layer]],
  ]);
  const server = createServer(({ method, url = '/' }, response) => {
    const [type, body] = contents.get(url.split('?', 1)[0] ?? '') ?? [];
    if (type === undefined || body === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}');
      return;
    }
    response.writeHead(200, {
      'content-type': type,
      'content-length': body.byteLength,
      'docker-distribution-api-version': 'registry/2.0',
      ...(url.includes('/manifests/') ? { 'docker-content-digest': digestOf(manifest) } : {}),
    });
    response.end(method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    manifestPath: '/v2/bench/corrupt/manifests/v1',
    blobPath: `/v2/bench/corrupt/blobs/${digest}`,
    digest,
  };
});
