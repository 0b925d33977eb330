/** One answer, or the part of it that came. */
export interface ReadAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly isWhole: boolean;
}

interface Open {
  readonly status: number;
  /** Bytes of the body that are still to come; `Infinity` up to the end of the connection. */
  missing: number;
  readonly chunks: Buffer[];
}

const headEnd = Buffer.from('\r\n\r\n');

/**
 * Cuts what comes from a server into its answers, by the methods of the requests in their order.
 */
export class AnswerReader {
  readonly #methods: readonly string[];
  readonly #closed: ReadAnswer[] = [];
  #open: Open | undefined;
  #rest: Buffer = Buffer.alloc(0);
  /** Why the bytes are no HTTP. */
  fault: string | undefined;

  constructor(methods: readonly string[]) {
    this.#methods = methods;
  }

  /** How many came whole. */
  get count(): number {
    return this.#closed.length;
  }

  push(chunk: Buffer): void {
    let rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let next = this.#step(rest); next !== undefined; next = this.#step(rest)) rest = next;
    this.#rest = rest;
  }

  /** All that came, an answer without an end last. */
  answers(): readonly ReadAnswer[] {
    if (this.#open === undefined) return this.#closed;
    const { status, chunks, missing } = this.#open;
    const isWhole = missing === Number.POSITIVE_INFINITY;
    return [...this.#closed, { status, body: Buffer.concat(chunks), isWhole }];
  }

  /** Takes one head, or what there is of a body; undefined when it needs more. */
  #step(bytes: Buffer): Buffer | undefined {
    if (this.fault !== undefined || bytes.byteLength === 0) return undefined;
    if (this.#open !== undefined) return this.#body(this.#open, bytes);
    const end = bytes.indexOf(headEnd);
    const [line = '', ...fields] = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
    if (end < 0) return this.#unfinishedHead(bytes);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (!(status >= 100)) this.fault = `no status line: ${JSON.stringify(line.slice(0, 60))}`;
    else if (status >= 200) this.#begin(status, fields);
    return bytes.subarray(end + headEnd.byteLength);
  }

  #unfinishedHead(bytes: Buffer): undefined {
    const start = bytes.subarray(0, 9).toString('latin1');
    if (!'HTTP/1.1 '.startsWith(start)) this.fault = `no status line: ${JSON.stringify(start)}`;
  }

  #begin(status: number, fields: readonly string[]): void {
    const method = this.#methods[this.#closed.length];
    const length = fields.find((field) => /^content-length:/i.test(field))?.split(':')[1];
    const isBodiless = method === 'HEAD' || status === 304 || status === 204;
    const missing = isBodiless ? 0 : Number(length ?? Number.POSITIVE_INFINITY);
    this.#open = { status, missing, chunks: [] };
    if (missing === 0) this.#close(this.#open);
  }

  #body(open: Open, bytes: Buffer): Buffer {
    const part = bytes.subarray(0, open.missing);
    open.chunks.push(Buffer.from(part));
    open.missing -= part.byteLength;
    if (open.missing === 0) this.#close(open);
    return bytes.subarray(part.byteLength);
  }

  #close({ status, chunks }: Open): void {
    this.#closed.push({ status, body: Buffer.concat(chunks), isWhole: true });
    this.#open = undefined;
  }
}
