import { field, isText } from '../../../base/text/json.ts';
import { scrubbed } from '../../../base/text/redaction.ts';

/** How S3 refuses a call. */
export interface BucketRefusal {
  /** S3's code, such as `NoSuchBucket` or `AccessDenied`; without an answer that of the network. */
  readonly code: string;
  readonly message: string;
  /** The HTTP status of the answer; undefined without one. */
  readonly status?: number;
}

/** S3 refused to change something. */
export class BucketRefused extends Error {
  override readonly name = 'BucketRefused';
  readonly code: string;

  constructor({ code, message }: BucketRefusal) {
    super(message);
    this.code = code;
  }
}

/** S3 says "none" of a setting by a 404; that the bucket itself is missing says nothing of it. */
export function isNone(status: number | undefined, code: string): boolean {
  return status === 404 && code !== 'NoSuchBucket';
}

/** The code and message of a failed call, without what may be secret in it. */
export function refusalOf(error: unknown): BucketRefusal {
  const status = statusOf(error);
  const name = error instanceof Error ? error.name : 'Error';
  const message = scrubbed(error instanceof Error ? error.message : String(error));
  const system = field(error, 'code');
  if (status === undefined) return { code: isText(system) ? system : unanswered(name), message };
  const code = field(error, 'Code');
  return { code: isText(code) ? code : name, message: `${message} (status ${status})`, status };
}

/** An abort is that of our own limit. */
function unanswered(name: string): string {
  return name === 'AbortError' || name === 'TimeoutError' ? 'Timeout' : name;
}

/** Codes of the network are of the system, or ours. */
export function isAnswered(code: string): boolean {
  return code !== 'Timeout' && !/^E[A-Z_]+$/.test(code);
}

/** The HTTP status of the answer; undefined without one. */
export function statusOf(error: unknown): number | undefined {
  const status = field(field(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}
