import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import type { UpstreamReply } from '../../oci/errors.ts';
import type { UpstreamResponse } from '../exchange.ts';

/** More of a refusal is not read, bytes. */
const mostBytes = 16 * 1024;
/** The body of a refusal is waited for so long, milliseconds. */
const patienceMs = 1_000;
/** The longest quotation, characters. */
const longest = 200;
/**
 * What the registry answered, for the log: its status and the start of its own words, on one line,
 * without what it was shown as a credential. Reads the body, for a second at most, and lets go of
 * it. Never rejects.
 */
export async function replyOf(answer: UpstreamResponse): Promise<UpstreamReply> {
  return replyWith(answer, await startOf(answer));
}

/** The same of a body that was read. */
export async function replyWith(answer: UpstreamResponse, bytes: Uint8Array): Promise<UpstreamReply> {
  const { status, upstream, secrets } = answer;
  const text = Buffer.from(bytes.subarray(0, mostBytes)).toString();
  const said = text === '' ? '' : quoted(text, (await secrets?.()) ?? []);
  return { status, ...(upstream !== undefined && { upstream }), ...(said !== '' && { said }) };
}

async function startOf({ body }: UpstreamResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  using _timer = setTimeout(() => body.destroy(), patienceMs);
  try {
    for await (const chunk of body) {
      chunks.push(new Uint8Array(chunk));
      size += chunk.byteLength;
      if (size > mostBytes) break;
    }
  } catch {
    // What came so far is quoted.
  }
  return Buffer.concat(chunks);
}

function quoted(text: string, secrets: readonly string[]): string {
  const words = errorIn(text) ?? titleIn(text) ?? withoutTags(text);
  const clean = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), words);
  return oneLine(scrubbed(clean), longest);
}

/** The first error of the spec's document, or what token servers say instead. */
function errorIn(text: string): string | undefined {
  const body = jsonOrNone(Buffer.from(text));
  if (body === undefined) return undefined;
  const [first] = listOf(field(body, 'errors'));
  const source = first ?? body;
  const names = ['code', 'error', 'message', 'error_description', 'details', 'detail'] as const;
  const parts = names.flatMap((name) => textOf(field(source, name)) ?? []);
  return parts.length === 0 ? undefined : parts.join(': ');
}

/** A page of a balancer, a portal or a login says most in its title. */
function titleIn(text: string): string | undefined {
  const [, title] = /<title>([^<]{1,500})<\/title>/i.exec(text) ?? [];
  return title === undefined ? undefined : `page "${title.trim()}"`;
}

function withoutTags(text: string): string {
  return text.replaceAll(/<[^<>]{0,500}>/g, ' ');
}
