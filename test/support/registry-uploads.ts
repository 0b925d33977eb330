import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Digest, digestOf, isDigest } from '../../src/oci/digest.ts';
import { mediaTypes, parseManifest } from '../../src/oci/manifest.ts';
import { addBlob, addManifest, type DoubleRepository, repositoryOf } from './registry-contents.ts';
import type { Cut } from './registry-misbehaviours.ts';
import { type Reply, refuse } from './registry-replies.ts';
import { isGrantedPull } from './registry-tokens.ts';

/** One blob that is being pushed. */
export interface DoubleUpload {
  readonly repository: string;
  /** What has arrived. */
  bytes: Buffer;
}

const start = /^\/v2\/(.+)\/blobs\/uploads\/$/;
const session = /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/;
const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/;

/** True when the request was part of a push, which is then answered. */
export async function isPushed(reply: Reply): Promise<boolean> {
  const { method, path } = reply.record;
  const [, repository = '', id = ''] = session.exec(path) ?? start.exec(path) ?? manifest.exec(path) ?? [];
  const isPush =
    method !== 'GET' && method !== 'HEAD' && (session.test(path) || start.test(path) || manifest.test(path));
  if (isPush && isTurnedAway(reply)) return true;
  if (method === 'POST' && start.test(path)) begin(reply, repository);
  else if (session.test(path)) await continued(reply, repository, id);
  else if (method === 'PUT' && manifest.test(path)) await putManifest(reply, repository, id);
  else if (method === 'DELETE' && manifest.test(path)) deleteTag(reply, repository, id);
  else return false;
  return true;
}

/** True when a switch sends the push elsewhere, or away for its size. */
function isTurnedAway(reply: Reply): boolean {
  const { request, record, response, state } = reply;
  const { mostPushedBytes = Number.POSITIVE_INFINITY, redirectsPushes } = state.switches;
  if (Number(request.headers['content-length'] ?? 0) > mostPushedBytes) {
    refuse(reply, 413, '', 'too large');
    return true;
  }
  const isMoved = record.query.includes('moved=1');
  if (redirectsPushes?.methods.includes(record.method) !== true || isMoved) return false;
  const query = record.query === '' ? 'moved=1' : `${record.query}&moved=1`;
  response.setHeader('location', `${redirectsPushes.to ?? ''}${record.path}?${query}`);
  empty(reply, redirectsPushes.code);
  return true;
}

/** `POST …/uploads/`: a mount where one is asked for and allowed, else a session. */
function begin(reply: Reply, repository: string) {
  const { state, record, response } = reply;
  const query = new URLSearchParams(record.query);
  const digest = query.get('mount') ?? '';
  const from = query.get('from') ?? '';
  const bytes = isDigest(digest) ? state.repositories.get(from)?.blobs.get(digest) : undefined;
  const { refusesMounts = false } = state.switches;
  if (digest !== '' && typeof refusesMounts === 'number')
    return refuse(reply, refusesMounts, '', 'no mounts');
  if (bytes !== undefined && refusesMounts === false && isGrantedPull(reply, from)) {
    if (state.switches.lies201 !== true)
      addBlob(
        state.repositories,
        repository,
        bytes,
        digestOf(bytes, digest.startsWith('sha512') ? 'sha512' : 'sha256'),
      );
    response.setHeader('docker-content-digest', digest);
    return empty(reply, 201);
  }
  const id = randomUUID();
  state.uploads.set(id, { repository, bytes: Buffer.alloc(0) });
  if (state.switches.chunkMinLength !== undefined)
    response.setHeader('oci-chunk-min-length', String(state.switches.chunkMinLength));
  located(reply, repository, id);
  response.setHeader('range', '0-0');
  empty(reply, 202);
}

async function continued(reply: Reply, repository: string, id: string): Promise<void> {
  const { state, record } = reply;
  const { switches } = state;
  if (switches.forgetsSessions !== undefined && switches.forgetsSessions > 0) {
    switches.forgetsSessions -= 1;
    state.uploads.delete(id);
  }
  const upload = state.uploads.get(id);
  if ((record.method === 'PATCH' || record.method === 'PUT') && (await isFailed(reply))) return;
  if (upload === undefined || upload.repository !== repository) {
    return refuse(reply, 404, 'BLOB_UPLOAD_UNKNOWN', 'no such upload');
  }
  const { refusesPatch } = switches;
  if (record.method === 'PATCH' && refusesPatch !== undefined)
    return refuse(reply, refusesPatch, '', 'no PATCH here');
  if (record.method === 'PATCH') return append(reply, upload, id);
  if (record.method === 'PUT') return complete(reply, upload, id);
  if (record.method === 'DELETE') state.uploads.delete(id);
  if (record.method === 'GET') {
    located(reply, repository, id);
    ranged(reply, upload);
  }
  empty(reply, 204);
}

/** `PATCH`: what arrives is kept, even when the connection is cut below it. */
async function append(reply: Reply, upload: DoubleUpload, id: string): Promise<void> {
  const { request, state } = reply;
  const range = request.headers['content-range'];
  const [, first] = /^(\d+)-\d+$/.exec(range ?? '') ?? [];
  if (range !== undefined && Number(first) !== upload.bytes.length) {
    ranged(reply, upload);
    return refuse(reply, 416, 'BLOB_UPLOAD_INVALID', 'the chunk does not begin where the last one ended');
  }
  const before = upload.bytes.length;
  if (!(await isReceived(reply, upload))) return;
  const minimum = state.switches.chunkMinLength;
  if (minimum !== undefined && range === undefined)
    return refuse(reply, 400, 'BLOB_UPLOAD_INVALID', 'not a chunk');
  if (minimum !== undefined && before > 0 && before % minimum !== 0)
    return refuse(reply, 400, 'SIZE_INVALID', 'a chunk before the last one was too small');
  located(reply, upload.repository, id);
  ranged(reply, upload);
  empty(reply, 202);
}

async function complete(reply: Reply, upload: DoubleUpload, id: string): Promise<void> {
  const { record, response, state } = reply;
  if (!(await isReceived(reply, upload))) return;
  const digest = new URLSearchParams(record.query).get('digest') ?? '';
  if (
    !isDigest(digest) ||
    digestOf(upload.bytes, digest.startsWith('sha512') ? 'sha512' : 'sha256') !== digest
  )
    return refuse(reply, 400, 'DIGEST_INVALID', 'the bytes have another digest');
  state.uploads.delete(id);
  if (state.switches.lies201 !== true) addBlob(state.repositories, upload.repository, upload.bytes, digest);
  if (state.switches.omitsDigestHeader !== true) response.setHeader('docker-content-digest', digest);
  response.setHeader('location', `/v2/${upload.repository}/blobs/${digest}`);
  empty(reply, 201);
}

/** True when the switch throws away what is sent, which is then answered. */
async function isFailed(reply: Reply): Promise<boolean> {
  const { request, record, state } = reply;
  const fault = state.switches.failsUploads;
  if (fault === undefined || fault.times === 0) return false;
  if (fault.times !== undefined) state.switches.failsUploads = { ...fault, times: fault.times - 1 };
  for await (const chunk of request as AsyncIterable<Buffer>) record.bytesReceived += chunk.length;
  refuse(reply, fault.code, 'UNKNOWN', 'as the switch says');
  return true;
}

/** False when the body broke off, by the client's will or as the switch says. */
async function isReceived({ request, record, state }: Reply, upload: DoubleUpload): Promise<boolean> {
  const length = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const cut = taken(state.switches.cutsUploadAfter, length);
  const stall = taken(state.switches.stallsUploadAfter, length);
  const limit = cut ?? stall;
  const chunks = [upload.bytes];
  const before = upload.bytes.length;
  let received = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      received += chunk.length;
      record.bytesReceived = received;
      if (limit !== undefined && received >= limit)
        upload.bytes = Buffer.concat(chunks).subarray(0, before + limit);
      if (stall !== undefined && received >= stall) await once(request.socket, 'close');
      if (cut !== undefined && received >= cut) request.socket.destroy();
    }
  } catch {
    // The client is gone; what came before is kept.
  }
  if (limit !== undefined && received >= limit) return false;
  upload.bytes = Buffer.concat(chunks);
  return request.complete;
}

function taken(cut: Cut | undefined, length: number): number | undefined {
  if (cut === undefined || cut.times <= 0 || cut.bytes >= length) return undefined;
  cut.times -= 1;
  return cut.bytes;
}

/** `PUT …/manifests/…`, taken only when all that it names is there. */
async function putManifest(reply: Reply, name: string, reference: string): Promise<void> {
  const { request, record, response, state } = reply;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  record.bytesReceived = bytes.length;
  const mediaType = request.headers['content-type'] ?? '';
  const { refusesTag } = state.switches;
  if (refusesTag !== undefined && refusesTag.times > 0 && refusesTag.tag.test(reference)) {
    refusesTag.times -= 1;
    return refuse(reply, 403, 'DENIED', 'not this tag');
  }
  const repository = repositoryOf(state.repositories, name);
  const isSchema1 = mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed;
  if (isSchema1 && state.switches.refusesSchema1 === 'with 500')
    return refuse(reply, 500, 'UNKNOWN', 'unknown error');
  if (isSchema1 && state.switches.refusesSchema1 === true)
    return refuse(reply, 400, 'MANIFEST_INVALID', 'schema version 1 is not taken');
  const missing = missingOf(bytes, mediaType, repository);
  if (missing === undefined) return refuse(reply, 400, 'MANIFEST_INVALID', 'not a manifest');
  if (missing.length > 0) return refuse(reply, 404, 'MANIFEST_BLOB_UNKNOWN', `blob unknown: ${missing[0]}`);
  const digest = addManifest(state.repositories, name, bytes, mediaType, []);
  if (reference.includes(':') && reference !== digest && digestOf(bytes, 'sha512') !== reference) {
    repository.manifests.delete(digest);
    return refuse(reply, 400, 'DIGEST_INVALID', 'the manifest has another digest');
  }
  if (!reference.includes(':') && state.switches.lies201 !== true) repository.tags.set(reference, digest);
  if (state.switches.lies201 === true) repository.manifests.delete(digest);
  if (state.switches.omitsDigestHeader !== true) response.setHeader('docker-content-digest', digest);
  response.setHeader('location', `/v2/${name}/manifests/${digest}`);
  empty(reply, 201);
}

function deleteTag(reply: Reply, name: string, reference: string) {
  const { refusesDeletes, deletesManifests, deletesNoTags, failsDelete } = reply.state.switches;
  if (refusesDeletes !== undefined) return refuse(reply, refusesDeletes, 'UNSUPPORTED', 'no deletes here');
  const status = failsDelete?.(reference);
  if (status !== undefined) return refuse(reply, status, 'UNKNOWN', 'as the switch says');
  const { tags, manifests } = repositoryOf(reply.state.repositories, name);
  const isTag = !reference.includes(':');
  if (isTag && deletesNoTags === true) return refuse(reply, 400, 'DIGEST_INVALID', 'no digest');
  const digest = isTag ? tags.get(reference) : [...manifests.keys()].find((each) => each === reference);
  if (digest === undefined) return refuse(reply, 404, 'MANIFEST_UNKNOWN', 'no such tag');
  if (!isTag) manifests.delete(digest);
  for (const [each, named] of tags)
    if (each === reference || ((deletesManifests === true || !isTag) && named === digest)) tags.delete(each);
  empty(reply, 202);
}

/** Digests that the manifest names and the repository lacks; undefined for what is no manifest. */
function missingOf(bytes: Buffer, mediaType: string, held: DoubleRepository): Digest[] | undefined {
  try {
    const { blobs, children } = parseManifest(bytes, mediaType);
    return [
      ...blobs.filter(({ digest }) => !held.blobs.has(digest)),
      ...children.filter(({ digest }) => !held.manifests.has(digest)),
    ].map(({ digest }) => digest);
  } catch {
    return undefined;
  }
}

function located({ response, state }: Reply, repository: string, id: string): void {
  const { uploadsAt } = state.switches;
  const origin = uploadsAt === 'absolute' ? state.url : (uploadsAt ?? '');
  response.setHeader('location', `${origin}/v2/${repository}/blobs/uploads/${id}?_state=a%2Fb%20c%3D`);
}

/** As docker-registry has it: no byte and one byte are both `0-0`. */
function ranged({ response, state }: Reply, { bytes }: DoubleUpload): void {
  const { rangeOfUpload = (length: number) => `0-${Math.max(0, length - 1)}` } = state.switches;
  const range = rangeOfUpload(bytes.length);
  if (range !== undefined) response.setHeader('range', range);
}

function empty({ record, response }: Reply, status: number): void {
  record.status = status;
  response.writeHead(status, { 'content-length': 0 }).end();
}
