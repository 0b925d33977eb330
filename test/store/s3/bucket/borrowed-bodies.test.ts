import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createS3Store, type S3StoreOptions } from '../../../../src/store/s3/s3-store.ts';
import { createDownloads } from '../../../../src/upstream/download/downloads.ts';
import { until } from '../../../support/bodies.ts';
import { testAuthority } from '../../../support/certificates.ts';
import { listening } from '../../../support/listening.ts';
import { described, whole } from '../../store-suite.ts';

const object = Buffer.from('an object');
const { digest } = described(object);

function answered(res: ServerResponse, status = 200, body: Buffer | string = object): void {
  res.writeHead(status, { 'content-length': Buffer.byteLength(body), etag: '"x"' }).end(body);
}

/** The blobs of a bucket whose server answers as the test says. */
async function bucketOf(t: Test, answer: RequestListener, options: Partial<S3StoreOptions> = {}) {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    answer(req, res);
  });
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const { host, close } = await listening(server);
  const blobs = storeOf(t, { endpoint: `http://${host}`, ...options }, close).blobs;
  return { blobs, asked, connections: () => connections };
}

function keyFiles(t: Test) {
  const files = t.testdir({ id: 'AKIDEXAMPLE\n', secret: 'a-secret-key\n' });
  return { accessKeyIdFile: join(files, 'id'), secretAccessKeyFile: join(files, 'secret') };
}

function storeOf(
  t: Test,
  options: Partial<S3StoreOptions>,
  close: () => Promise<void>,
  keys: Partial<S3StoreOptions> = keyFiles(t),
) {
  const store = createS3Store({
    ...{ bucket: 'b', pathStyle: true, firstByteTimeoutMs: 60_000, stallMs: 60_000, retries: 2 },
    ...keys,
    downloads: createDownloads(),
    ...options,
  });
  t.teardown(async () => {
    await store.close();
    await close();
  });
  return store;
}

test('a connection that ends without an answer, and one that is no HTTP, are tried again', async (t) => {
  const faults: ((req: IncomingMessage) => void)[] = [
    (req) => req.socket.destroy(),
    (req) => req.socket.end('no HTTP at all\r\n\r\n'),
  ];
  const { blobs, asked } = await bucketOf(t, (req, res) => {
    const fault = faults.shift();
    if (fault === undefined) answered(res);
    else fault(req);
  });
  t.ok(object.equals(await whole(await blobs.open(digest))));
  t.equal(asked.length, 3);
});

test('a refusal names its code, is read whole, and leaves the connection to the next call', async (t) => {
  const refusal = '<Error><Code>AccessDenied</Code><Message>no right to read</Message></Error>';
  const { blobs, asked, connections } = await bucketOf(t, (_req, res) => {
    if (asked.length === 1) answered(res, 403, refusal);
    else if (asked.length === 2) answered(res, 404, '<Error><Code>NoSuchKey</Code></Error>');
    else answered(res);
  });
  await t.rejects(blobs.open(digest), { code: 'UNAVAILABLE', cause: { message: /AccessDenied.*no right/ } });
  t.equal(await blobs.open(digest), undefined);
  t.ok(object.equals(await whole(await blobs.open(digest))));
  t.equal(connections(), 1);
});

test('further reads wait for a connection, and one that is left frees its own', async (t) => {
  const { blobs, asked } = await bucketOf(t, (_req, res) => answered(res), { maxSockets: 1 });
  const first = await blobs.open(digest);
  const second = blobs.open(digest);
  const reader = new AbortController();
  const left = blobs.open(digest, { signal: reader.signal });
  reader.abort(new Error('the reader is gone'));
  await t.rejects(left, { message: 'the reader is gone' });
  t.equal(asked.length, 1);
  await first?.close();
  t.ok(object.equals(await whole(await second)));
  t.equal(asked.length, 2);
});

test('the path is asked for as it is signed', async (t) => {
  const { blobs, asked } = await bucketOf(t, (_req, res) => answered(res), { prefix: "it's (a*b) +&=é" });
  await whole(await blobs.open(digest));
  t.match(asked[0], /^GET \/b\/it%27s%20%28a%2Ab%29%20%2B%26%3D%C3%A9\/.*\?x-id=GetObject$/);
});

test('a server whose certificate no authority signed is not read from', async (t) => {
  const asked: string[] = [];
  const server = createTlsServer(testAuthority().issued(), (req, res) => {
    asked.push(req.url ?? '');
    answered(res);
  });
  const { host, close } = await listening(server);
  const { blobs } = storeOf(t, { endpoint: `https://${host}`, retries: 0 }, close);
  await t.rejects(blobs.open(digest), { code: 'UNAVAILABLE', cause: { message: /certificate/ } });
  t.same(asked, []);
});

test('an answer that the SDK does not understand frees its connection', async (t) => {
  const { blobs, asked } = await bucketOf(
    t,
    (_req, res) => {
      if (asked.length === 1) res.setHeader('last-modified', 'no date');
      answered(res);
    },
    { maxSockets: 1, retries: 0, firstByteTimeoutMs: 6_000 },
  );
  await t.rejects(blobs.open(digest), { code: 'UNAVAILABLE' });
  t.ok(object.equals(await whole(await blobs.open(digest))));
});

test('the end of the store ends what is read', async (t) => {
  const { host, close } = await listening(
    createServer((_req, res) => res.writeHead(200, { 'content-length': 10 }).write('begun')),
  );
  const store = storeOf(t, { endpoint: `http://${host}` }, close);
  const content = await store.blobs.open(digest);
  let seen = 0;
  const reading = (async () => {
    for await (const { byteLength } of content?.body ?? []) seen += byteLength;
  })();
  await until(() => seen > 0, 'the first bytes');
  await store.close();
  await t.rejects(reading, { code: 'UNAVAILABLE' });
});

test('credentials that are asked for by calls of their own open what is read', async (t) => {
  const asked: string[] = [];
  const sts = await listening(
    createServer((req, res) => {
      asked.push(`${req.method} ${req.url}`);
      res.writeHead(200, { 'content-type': 'text/xml' }).end(assumed);
    }),
  );
  t.teardown(sts.close);
  t.intercept(process, 'env', {
    value: {
      ...process.env,
      AWS_WEB_IDENTITY_TOKEN_FILE: join(t.testdir({ token: 'of the cluster' }), 'token'),
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/quayside',
      AWS_ENDPOINT_URL_STS: `http://${sts.host}`,
    },
  });
  const signers: string[] = [];
  const { host, close } = await listening(
    createServer(({ headers }, res) => {
      signers.push(/Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1] ?? '');
      answered(res);
    }),
  );
  const { blobs } = storeOf(t, { endpoint: `http://${host}` }, close, {});
  t.ok(object.equals(await whole(await blobs.open(digest))));
  t.same(signers, ['ASIAEXAMPLE']);
  t.same(asked, ['POST /']);
});

const assumed = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>session</SessionToken>
<SecretAccessKey>secret</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;
