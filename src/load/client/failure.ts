import { RegistryError } from '../../oci/errors.ts';

/** Why a request or a pull of the load failed; `kind` is what the report counts it as. */
export class LoadFailure extends Error {
  override readonly name = 'LoadFailure';
  readonly kind: string;

  constructor(kind: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** The status of an answer that is none of those that were hoped for. */
export class StatusFailure extends LoadFailure {
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, where: string, retryAfterSeconds: number | undefined) {
    super(`status ${status}`, `${where}: status ${status}`);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const timeouts: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Of OpenSSL, for an authority that is not known here. */
const unknownAuthority: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** Any error of a request as what the report counts it as. `where` is method and path. */
export function toLoadFailure(error: unknown, where: string): LoadFailure {
  if (error instanceof LoadFailure) return error;
  const code = codeOf(error);
  if (unknownAuthority.has(code)) {
    const text = `${where}: no trusted authority signed the certificate of the target (${code}); --ca FILE names one`;
    return new LoadFailure('certificate', text, error);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new LoadFailure(kindOf(error, message), `${where}: ${message}`, error);
}

function kindOf(error: unknown, message: string): string {
  if (error instanceof RegistryError) return error.code === 'DENIED' ? 'login' : `refused ${error.code}`;
  const code = codeOf(error);
  if (timeouts.has(code) || /came in time|took too long/.test(message)) return 'timeout';
  return code === '' ? 'network' : `network ${code}`;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}
