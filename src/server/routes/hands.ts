import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { approve } from '../../conversation/hands/approve.ts';
import { choose } from '../../conversation/hands/choose.ts';
import {
  assertTurnsLeft,
  forkedConversation,
  readCopies,
  requestLike,
  turnsOf,
} from '../../conversation/hands/fork.ts';
import { type Doing, type Hand, takeHand } from '../../conversation/hands/hand.ts';
import { pause, resume } from '../../conversation/hands/pause.ts';
import { assertRetractable, retract } from '../../conversation/hands/retract.ts';
import { say } from '../../conversation/hands/say.ts';
import { happeningsIn } from '../../conversation/happenings.ts';
import type { ConversationEvent, Message } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { raised } from '../../conversation/stages/guard.ts';
import { type Conversation, conversation } from '../../protocol/conversation.ts';
import {
  approvalRequest,
  forkRequest,
  nextRequest,
  pauseRequest,
  resumeRequest,
  retractRequest,
  sayRequest,
} from '../../protocol/hands.ts';
import { message } from '../../protocol/message.ts';
import { problem } from '../../protocol/problem.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { idParameter } from '../../protocol/requests.ts';
import { callerOf } from '../caller.ts';
import { viewConversation } from '../conversation-view.ts';
import { createConversation, settingsFor } from '../creation.ts';
import { guardedBody, tellOf } from '../guarding.ts';
import { idempotencyOf, sha256 } from '../idempotency.ts';
import type { ServerParts } from '../parts.ts';
import { findConversation } from './conversations.ts';

const FAILURES = { 400: problem, 404: problem, 409: problem, 503: problem };
const idempotencyHeader = z.object({ 'idempotency-key': z.string().optional() });

/** Does something to a conversation, and has it go on where it is to. @throws AppError as takeHand */
export async function takeHandOn(
  parts: ServerParts,
  request: FastifyRequest,
  { id }: Pick<ConversationRecord, 'id'>,
  hand: Hand,
  asked?: Doing['request'],
): Promise<{ events: readonly ConversationEvent[]; isReplay: boolean }> {
  const { key } = callerOf(request);
  const { before, state, events, isReplay } = await takeHand(parts, id, hand, { key, request: asked });
  if (isReplay) return { events, isReplay };
  for (const { type } of events) {
    request.log.info({ conversation_id: id, kind: type }, 'conversation.changed');
  }
  for (const happening of happeningsIn(id, events, before, state)) parts.observe(happening);
  if (events.length > 0 && state.status === 'running')
    parts.runner.wake(id, { tenant: state.tenant, key: state.key });
  return { events, isReplay };
}

/** What people do while a conversation runs; docs/protocol.md, section 10. */
export function registerHands(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();
  const answering = { tags: ['hands'], params: idParameter, response: { 200: conversation, ...FAILURES } };

  const take = async (request: FastifyRequest, hand: Hand, asked?: Doing['request']) =>
    takeHandOn(parts, request, await findConversation(parts, request), hand, asked);

  /** What somebody says, as the conversation's guards let it pass. */
  async function guarded<Body extends object>(
    request: FastifyRequest,
    body: Body,
    fields: readonly (keyof Body & string)[],
  ) {
    const { settings } = await findConversation(parts, request);
    return await guardedBody(parts, request, settings, body, fields);
  }

  async function answer(request: FastifyRequest, hand: Hand): Promise<Conversation> {
    await take(request, hand);
    return viewConversation(await findConversation(parts, request));
  }

  app.post(
    '/conversations/:id/pause',
    {
      config: { scope: 'conversations:write' },
      schema: {
        ...answering,
        operationId: 'pauseConversation',
        summary: 'Pause a conversation',
        description:
          'The turn under way is still spoken, or with `now` cut off. Paused time does not count towards the ' +
          'timeout. Pausing what is paused answers the same.',
        body: pauseRequest,
      },
    },
    async (request) => answer(request, pause((await guarded(request, request.body ?? {}, ['detail'])).body)),
  );

  app.post(
    '/conversations/:id/resume',
    {
      config: { scope: 'conversations:write' },
      schema: {
        ...answering,
        operationId: 'resumeConversation',
        summary: 'Go on with a conversation that was paused',
        body: resumeRequest,
      },
    },
    (request) => answer(request, resume),
  );

  app.post(
    '/conversations/:id/next',
    {
      config: { scope: 'conversations:write' },
      schema: {
        ...answering,
        operationId: 'chooseNext',
        summary: 'Say which agent speaks next, once',
        body: nextRequest,
      },
    },
    (request) => answer(request, choose(request.body.agent)),
  );

  app.post(
    '/conversations/:id/approval',
    {
      config: { scope: 'conversations:write' },
      schema: {
        ...answering,
        operationId: 'decideProposal',
        summary: 'Let a reply through that is held back, edited or as it is, or have it spoken anew',
        body: approvalRequest(parts.maxMessageLength),
      },
    },
    async (request) => {
      const { body, found } = await guarded(request, request.body, ['content', 'detail']);
      return await answer(request, approve({ ...body, found }));
    },
  );

  app.post(
    '/conversations/:id/messages',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'say',
        summary: 'Say something in a conversation',
        description:
          'As a person who watches, as the moderator, or as the human agent whose turn it is. With `interrupt` ' +
          'the turn under way is spoken anew in knowledge of it.',
        tags: ['hands'],
        params: idParameter,
        headers: idempotencyHeader,
        body: sayRequest(parts.maxMessageLength),
        response: { 201: message, ...FAILURES, 422: problem },
      },
    },
    async (request, reply) => {
      const asked = idempotencyOf(request);
      const named = asked ? { key: sha256(asked.key), body: asked.bodyHash } : undefined;
      const { body, found } = await guarded(request, request.body, ['content', 'sender']);
      const { events, isReplay } = await take(request, say({ ...body, found }), named);
      const [said] = events;
      if (said?.type !== 'message') throw new Error('nothing was said');
      if (isReplay) reply.header('idempotency-replayed', 'true');
      return reply.code(201).send(said.message);
    },
  );

  app.post(
    '/conversations/:id/retract',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'retractMessage',
        summary: 'Take a message out of what agents are shown',
        description: 'It stays in the log, and readers are told. Retracting it again answers the same.',
        tags: ['hands'],
        params: idParameter,
        body: retractRequest,
        response: { 200: message, ...FAILURES },
      },
    },
    async (request) => {
      const { seq } = request.body;
      const { id } = await findConversation(parts, request);
      const target = await messageAt(id, seq);
      assertRetractable(target);
      const { body } = await guarded(request, request.body, ['detail']);
      await take(request, retract(body));
      return { ...target, retracted: true };
    },
  );

  /** Undefined where the event with that seq is none, or there is none. */
  async function messageAt(id: string, seq: number): Promise<Message | undefined> {
    const [entry] = await parts.log.readOn(id, seq - 1, 1);
    const event = entry?.seq === seq ? readEvent(entry.json) : undefined;
    return event?.type === 'message' ? event.message : undefined;
  }

  app.post(
    '/conversations/:id/fork',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'forkConversation',
        summary: 'Go on from a message as another conversation',
        description:
          'Takes the messages up to `atSeq` along, and goes on under settings of its own: those of the original ' +
          'where the request says nothing. The original is not touched.',
        tags: ['hands'],
        params: idParameter,
        headers: idempotencyHeader,
        body: forkRequest(parts.maxMessageLength),
        response: { 201: conversation, ...FAILURES, 413: problem, 422: problem },
      },
    },
    async (request, reply) => {
      const { id, tenant, settings: original, retracted } = await findConversation(parts, request);
      const { atSeq, ...given } = request.body ?? {};
      const idempotency = idempotencyOf(request, `${id}/fork`);
      const copied = await readCopies(parts.log, id, retracted, atSeq);
      const turns = turnsOf(copied.messages, original);
      const like = { ...original, guard: raised(original.guard, parts.guards) };
      const asked = requestLike(like, given, turns);
      const wanted = await settingsFor(asked, tenant, parts, tellOf(parts, request));
      assertTurnsLeft(wanted.settings.maxTurns, turns);
      const { record, replayed } = await createConversation(
        parts,
        { ...wanted, tenant, key: callerOf(request).key, idempotency },
        (beginning) => forkedConversation(beginning, copied),
      );
      if (replayed) reply.header('idempotency-replayed', 'true');
      else request.log.info({ conversation_id: record.id }, 'conversation.created');
      return reply.code(201).header('location', `/conversations/${record.id}`).send(viewConversation(record));
    },
  );
}
