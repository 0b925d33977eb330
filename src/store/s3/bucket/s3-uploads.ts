import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { RegistryError } from '../../../oci/errors.ts';
import type { CallOptions, S3Calls, S3Response } from './s3-client.ts';

export interface Upload {
  readonly key: string;
  readonly id: string;
}

interface UnfinishedUpload extends Upload {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface UploadedPart {
  /** From 1 to 10,000. */
  readonly number: number;
  readonly etag: string;
}

/** Objects made of parts, invisible until completed; throws as S3Calls says. */
export interface Uploads {
  start(key: string, options: CallOptions & { readonly contentType?: string }): Promise<Upload>;
  part(upload: Upload, number: number, bytes: Uint8Array, options: CallOptions): Promise<UploadedPart>;
  complete(upload: Upload, parts: readonly UploadedPart[], options: CallOptions): Promise<void>;
  /** Absent is not an error. */
  abort(upload: Upload): Promise<void>;
  list(prefix: string, options?: CallOptions): AsyncIterable<UnfinishedUpload>;
}

export function createS3Uploads({ client, bucket, prefix, call }: S3Calls): Uploads {
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}${key}` });
  const of = ({ key, id }: Upload) => ({ ...at(key), UploadId: id });
  return {
    async start(key, options) {
      const type = options.contentType === undefined ? {} : { ContentType: options.contentType };
      const command = new CreateMultipartUploadCommand({ ...at(key), ...type });
      const answer = await call('CreateMultipartUpload', (sending) => client.send(command, sending), options);
      return { key, id: required(answer).UploadId ?? '' };
    },
    async part(upload, number, bytes, options) {
      const command = new UploadPartCommand({
        ...of(upload),
        PartNumber: number,
        Body: bytes,
        ContentLength: bytes.byteLength,
      });
      const answer = await call('UploadPart', (sending) => client.send(command, sending), {
        ...options,
        sentBytes: bytes.byteLength,
      });
      return { number, etag: required(answer).ETag ?? '' };
    },
    async complete(upload, parts, options) {
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
      const command = new CompleteMultipartUploadCommand({ ...of(upload), MultipartUpload: { Parts } });
      required(await call('CompleteMultipartUpload', (sending) => client.send(command, sending), options));
    },
    async abort(upload) {
      const command = new AbortMultipartUploadCommand(of(upload));
      await call('AbortMultipartUpload', (sending) => client.send(command, sending));
    },
    async *list(below, options) {
      let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
      while (from !== undefined) {
        const where = { Bucket: bucket, Prefix: `${prefix}${below}`, ...from };
        const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand(where);
        const answer = await call(
          'ListMultipartUploads',
          (sending) => client.send(command, sending),
          options,
        );
        if (answer.kind !== 'ok') return;
        for (const { Key = '', UploadId: id = '', Initiated } of answer.value.Uploads ?? [])
          yield { key: Key.slice(prefix.length), id, startedAt: Initiated?.getTime() ?? Date.now() };
        const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker = '' } = answer.value;
        from = IsTruncated ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined;
      }
    },
  };
}

function required<T>(answer: S3Response<T>): T {
  if (answer.kind === 'ok') return answer.value;
  throw new RegistryError('UNAVAILABLE', 'the multipart upload to the store was aborted by another process');
}
