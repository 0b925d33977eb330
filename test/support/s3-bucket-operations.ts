import type { ServerResponse } from 'node:http';
import type { S3Call } from './s3-operations.ts';
import { fail } from './s3-xml.ts';

/** A setting of the bucket: the query that names it, and what S3 says where there is none. */
const settings = {
  tagging: { name: 'BucketTagging', none: 'NoSuchTagSet' },
  encryption: { name: 'BucketEncryption', none: 'ServerSideEncryptionConfigurationNotFoundError' },
  publicAccessBlock: { name: 'PublicAccessBlock', none: 'NoSuchPublicAccessBlockConfiguration' },
  lifecycle: { name: 'BucketLifecycleConfiguration', none: 'NoSuchLifecycleConfiguration' },
} as const;

export type BucketSetting = keyof typeof settings;

const settingNames = Object.keys(settings) as BucketSetting[];

const verbs: Readonly<Record<string, string>> = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' };

/** The operation of a request without a key, as S3 names it; undefined for a listing. */
export function bucketOperationOf(
  method: string,
  query: Readonly<Record<string, string>>,
): string | undefined {
  const setting = settingNames.find((name) => name in query);
  if (setting !== undefined) return `${verbs[method] ?? method}${settings[setting].name}`;
  const ofBucket: Readonly<Record<string, string>> = { HEAD: 'HeadBucket', PUT: 'CreateBucket' };
  return ofBucket[method];
}

/** What the operations on the bucket itself answer. */
export const bucketOperations: Readonly<Record<string, (call: S3Call) => ServerResponse>> = {
  HeadBucket: ({ response }) => response.writeHead(200).end(),
  CreateBucket({ state, response }) {
    if (state.bucket.exists) return fail(response, 409, 'BucketAlreadyOwnedByYou');
    state.bucket.exists = true;
    return response.writeHead(200).end();
  },
  ...Object.fromEntries(
    settingNames.flatMap((name) => [
      [`Get${settings[name].name}`, (call: S3Call) => got(call, name)],
      [`Put${settings[name].name}`, (call: S3Call) => put(call, name)],
      [`Delete${settings[name].name}`, (call: S3Call) => removed(call, name)],
    ]),
  ),
};

function got({ state, response }: S3Call, name: BucketSetting): ServerResponse {
  const held = state.bucket.settings.get(name);
  return held === undefined
    ? fail(response, 404, settings[name].none)
    : response.writeHead(200, { 'content-type': 'application/xml' }).end(held);
}

function put({ state, response, body }: S3Call, name: BucketSetting): ServerResponse {
  state.bucket.settings.set(name, body.toString());
  return response.writeHead(200).end();
}

function removed({ state, response }: S3Call, name: BucketSetting): ServerResponse {
  state.bucket.settings.delete(name);
  return response.writeHead(204).end();
}
