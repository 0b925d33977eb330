import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import { withFairTimeout } from '../../base/time/wait.ts';
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
  const hidden = bytes.byteLength === 0 ? [] : ((await secrets?.()) ?? []);
  const said = quoted(startWithout(hidden, bytes), hidden);
  return { status, ...(upstream !== undefined && { upstream }), ...(said !== '' && { said }) };
}

async function startOf({ body }: UpstreamResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const read = async (): Promise<void> => {
    let size = 0;
    for await (const chunk of body) {
      chunks.push(new Uint8Array(chunk));
      size += chunk.byteLength;
      if (size > mostBytes) break;
    }
  };
  // What came so far is quoted.
  const reading = read().catch(() => undefined);
  await withFairTimeout(reading, patienceMs, () => body.destroy());
  await reading;
  return Buffer.concat(chunks);
}

/** The start of the text; where it is cut, without an end that may begin a secret. */
function startWithout(secrets: readonly string[], bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, mostBytes)).toString();
  if (bytes.byteLength <= mostBytes) return text;
  return text.slice(0, -Math.max(1, ...secrets.map(({ length }) => length)));
}

/** Hidden also before tags are taken out, as a secret may look like one. */
function quoted(text: string, secrets: readonly string[]): string {
  const clean = withoutSecrets(text, secrets);
  const words = errorIn(clean) ?? titleIn(clean) ?? withoutTags(clean);
  return oneLine(scrubbed(withoutSecrets(words, secrets)), longest);
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
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
