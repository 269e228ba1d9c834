import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { ImportedLog, type Importing } from '../../conversation/import/imported-log.ts';
import { textsIn, withTexts } from '../../conversation/import/texts.ts';
import type { Message } from '../../conversation/log/events.ts';
import { EVERY_TENANT } from '../../conversation/log/log.ts';
import { type Guard, type GuardFinding, raised } from '../../conversation/stages/guard.ts';
import { lookAtTexts, type Tell } from '../../conversation/stages/inward.ts';
import { AppError, invalid, notFound } from '../../errors.ts';
import { conversation } from '../../protocol/conversation.ts';
import { importRequest, MOST_IMPORTED_BYTES } from '../../protocol/import.ts';
import { problem } from '../../protocol/problem.ts';
import { Slices } from '../../slices.ts';
import { registerJsonParser } from '../body.ts';
import { callerOf } from '../caller.ts';
import { conversationIds } from '../conversation-ids.ts';
import { viewConversation } from '../conversation-view.ts';
import { tellOf } from '../guarding.ts';
import type { ServerParts } from '../parts.ts';

/** Imports on their way in at once: each may be as large as it may. */
const MOST_AT_ONCE = 4;
/** Events that guards look at together. */
const LOOKED_AT_ONCE = 16;

/** Conversations that were exported, here or elsewhere, taken in again as they were; docs/protocol.md, section 2.10. */
export async function registerImport(server: FastifyInstance, parts: ServerParts): Promise<void> {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    registerJsonParser(scope, MOST_IMPORTED_BYTES, 'application/json');
    let onTheirWay = 0;
    scope.addHook('onRequest', (_request, reply, done) => {
      if (onTheirWay >= MOST_AT_ONCE) {
        return done(
          new AppError('overloaded', 'Too many imports are on their way in', { retryAfterSeconds: 5 }),
        );
      }
      onTheirWay++;
      reply.raw.once('close', () => onTheirWay--);
      done();
    });
    registerRoute(scope, parts);
  });
}

function registerRoute(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();
  const nextId = conversationIds();

  app.post(
    '/conversations/import',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'importConversation',
        summary: 'Take in a conversation that was exported as JSON',
        description:
          'As it was, with an id of its own; one that had not ended ends. It belongs to who imports it, and nothing ' +
          'of it is charged or told to a webhook. At most 20,000 events and 16 MiB.',
        tags: ['conversations'],
        body: importRequest,
        response: { 201: conversation, 400: problem, 413: problem, 415: problem, 503: problem },
      },
    },
    async (request, reply) => {
      const { id, createdAt } = nextId();
      const { events, record, settings, startedAt } = await read(request, request.body, createdAt);
      const { tenant, key } = callerOf(request);
      const made = { id, tenant, key, settings, createdAt, startedAt, events, record, idempotency: null };
      await parts.catalog.create(made);
      request.log.info({ conversation_id: id }, 'conversation.imported');
      const imported = await parts.catalog.get(EVERY_TENANT, id);
      if (!imported) throw notFound('The conversation was removed meanwhile');
      return reply.code(201).header('location', `/conversations/${id}`).send(viewConversation(imported));
    },
  );

  async function read(request: FastifyRequest, body: z.output<typeof importRequest>, at: Date) {
    const { tenant, key } = callerOf(request);
    const { id: from, startedAt } = body.conversation ?? {};
    const slices = new Slices();
    const importing = { tenant, key, at, from };
    const log = new ImportedLog(importing);
    const guard = guardOf(importing, body.events[0]);
    for (let index = 0; index < body.events.length; index += LOOKED_AT_ONCE) {
      const given = body.events.slice(index, index + LOOKED_AT_ONCE);
      const texts = given.map((each, offset) => textsOf(each, index + offset));
      const passed = guard
        ? await Promise.all(given.map((each, at) => guarded(guard, each, texts[at], tellOf(parts, request))))
        : given;
      for (const event of passed) log.take(event);
      await slices.rest();
    }
    const started = startedAt ? new Date(startedAt) : undefined;
    const taken = log.end();
    const isTime = started !== undefined && !Number.isNaN(started.getTime());
    return { ...taken, startedAt: isTime ? started : new Date(taken.events[0]?.at ?? at) };
  }

  /** The server's, and what the conversation was made with where that is stricter. */
  function guardOf(importing: Importing, first: unknown): Guard | undefined {
    const beginning = new ImportedLog(importing);
    textsOf(first, 0);
    beginning.take(first);
    return parts.guards.of(raised(beginning.settings.guard, parts.guards));
  }
}

/** @throws AppError `validation_failed` */
function textsOf(event: unknown, index: number): ReadonlyMap<string, string> {
  const path = `events.${index}`;
  const texts = textsIn(event, path);
  if (!texts) throw invalid([{ path, message: 'is nested too deeply' }]);
  return texts;
}

/**
 * An event as guards let it pass, with what they found in a message beside what was found when it was said.
 *
 * @throws AppError `validation_failed` that names what is blocked
 */
async function guarded(
  guard: Guard,
  event: unknown,
  given: ReadonlyMap<string, string> | undefined,
  tell: Tell,
): Promise<unknown> {
  const { texts, found } = await lookAtTexts(guard, Object.fromEntries(given ?? []), tell);
  if (found.length === 0) return event;
  const changed = [...texts].map(([path, text]): [string, string] => [given?.get(path) ?? text, text]);
  const passed = withTexts(event, new Map(changed)) as { type?: unknown; message?: Partial<Message> };
  const { message } = passed;
  if (passed.type !== 'message' || !message) return passed;
  const before: readonly GuardFinding[] = Array.isArray(message.metadata?.guard)
    ? message.metadata.guard
    : [];
  const isNew = ({ scanner, kind }: GuardFinding): boolean =>
    !before.some((each) => each.scanner === scanner && each.kind === kind);
  const findings = [...before, ...found.filter(isNew)];
  return { ...passed, message: { ...message, metadata: { ...message.metadata, guard: findings } } };
}
