import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fieldsOf, textOf } from '../../base/text/json.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import {
  answerHeader,
  askHeader,
  type MemberAsk,
  type MemberNews,
  memberPrefix,
  newsPath,
  type Pong,
  parseAsk,
  parseNews,
  statusOfWord,
} from '../../fleet/protocol/ask.ts';
import type { Seals } from '../../fleet/protocol/seals.ts';
import type { Bytes } from '../../oci/content.ts';
import { digestOf } from '../../oci/digest.ts';
import { clientSignal, send } from '../http/body.ts';
import { createMemberAnswers, type MemberContent, troubleOf } from './member-answers.ts';

interface MemberApiOptions {
  readonly seals: Seals;
  /** The upstreams as this process asks them itself, also for content of others. */
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  /** What this process says of itself. */
  readonly pong: () => Pong;
  /** A member told something. */
  readonly told: (news: MemberNews) => void;
  readonly events?: Partial<FleetEvents>;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
}

/** Clocks of members may differ by this, and a question is not older; milliseconds. */
const mostAgeMs = 300_000;

interface ProvenAsk {
  readonly path: string;
  readonly nonce: string;
  readonly news: unknown;
}

const leaving: MemberContent = { answer: { word: 'busy' } };

/**
 * Answers questions of members only: without a proof every path is a bare 404, which no member
 * takes for an answer. Asks no other member on a member's behalf, so that no circle can form.
 */
export function memberApi(app: FastifyInstance, options: MemberApiOptions): void {
  const { seals, registries, pong, told, events, now = Date.now } = options;
  const answers = createMemberAnswers(registries, now);

  async function proven(request: FastifyRequest): Promise<ProvenAsk | undefined> {
    const header = request.headers[askHeader];
    const { path, nonce, at, news } = fieldsOf(await seals.open('ask', header?.toString()));
    const isRecent = typeof at === 'number' && Math.abs(now() - at) <= mostAgeMs;
    const text = textOf(nonce);
    return isRecent && path === request.url && text !== undefined ? { path, nonce: text, news } : undefined;
  }

  const sealed = (nonce: string, statement: object): Promise<string> =>
    seals.seal('answer', { nonce, statement });

  async function contentOf(question: MemberAsk, signal: AbortSignal): Promise<MemberContent> {
    if (pong().isLeaving && question.kind !== 'blob') return leaving;
    try {
      return await answers(question, { signal, onlyIfCached: pong().isLeaving });
    } catch (error) {
      const trouble = troubleOf(error);
      // What ends with this process is no word of the upstream.
      return pong().isLeaving && trouble.answer.word === 'refused' ? leaving : trouble;
    }
  }

  async function streamed(
    reply: FastifyReply,
    header: string,
    { length, body }: MemberContent & { readonly body: Bytes },
  ): Promise<void> {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      [answerHeader]: header,
      ...(length === undefined ? {} : { 'content-length': length }),
    });
    raw.flushHeaders();
    const sent = (bytes: number): void => events?.memberBytes?.({ direction: 'sent', bytes });
    // A body that breaks cuts the connection: the member goes on elsewhere from that byte.
    await send(raw, body, { sent }).catch(() => raw.destroy());
  }

  app.all('/*', async (request, reply) => {
    const asked = request.method === 'GET' ? await proven(request) : undefined;
    if (asked === undefined) {
      events?.strangerRefused?.({ address: request.ip });
      return reply.code(404).send();
    }
    if (asked.path === `${memberPrefix}ping`)
      return reply.header(answerHeader, await sealed(asked.nonce, pong())).send();
    if (asked.path === newsPath) {
      for (const news of parseNews(asked.news)) told(news);
      return reply.header(answerHeader, await sealed(asked.nonce, {})).send();
    }
    // The sign of life, before anything is looked up that may take long.
    reply.raw.writeProcessing();
    const question = parseAsk(asked.path);
    const content = await contentOf(question, clientSignal(reply.raw));
    const { answer, bytes, body } = content;
    events?.memberAnswered?.({ kind: question.kind, word: answer.word });
    const covered = bytes === undefined ? answer : { ...answer, body: digestOf(bytes) };
    const header = await sealed(asked.nonce, covered);
    if (body !== undefined) return streamed(reply, header, { ...content, body });
    reply.code(statusOfWord[answer.word]).header(answerHeader, header).type('application/octet-stream');
    return reply.send(Buffer.from(bytes ?? []));
  });
}
