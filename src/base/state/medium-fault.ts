import { hasCode } from './durable-file.ts';

/** What is wrong with a disk or a bucket, as a label of metrics. */
export type MediumFault = 'disk-full' | 'denied' | 'absent' | 'unreachable' | 'other';

const codes: Readonly<Record<Exclude<MediumFault, 'other'>, readonly string[]>> = {
  'disk-full': ['ENOSPC', 'EDQUOT'],
  denied: [
    ...['EACCES', 'EPERM', 'EROFS'],
    ...['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'InvalidToken'],
    ...['RequestTimeTooSkewed', 'CredentialsProviderError', 'Forbidden'],
  ],
  absent: ['NoSuchBucket'],
  unreachable: [
    ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'],
    ...['EPIPE', 'TimeoutError', 'AbortError'],
  ],
};

/** By the code of the error or of one below it, the system's or that of S3. */
export function mediumFault(error: unknown): MediumFault {
  for (const [fault, known] of faults) if (hasCode(error, ...known)) return fault;
  return 'other';
}

/** Whether the disk has no room left. */
export function isDiskFull(error: unknown): boolean {
  return hasCode(error, ...codes['disk-full']);
}

const faults = [
  ['disk-full', codes['disk-full']],
  ['denied', codes.denied],
  ['absent', codes.absent],
  ['unreachable', codes.unreachable],
] as const;
