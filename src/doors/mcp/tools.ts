import type { McpServer, ToolAnnotations } from '@modelcontextprotocol/server';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { pause, resume } from '../../conversation/hands/pause.ts';
import { say } from '../../conversation/hands/say.ts';
import { newConversation } from '../../conversation/log/creation.ts';
import { invalid } from '../../errors.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { messagesQuery, searchQuery } from '../../protocol/requests.ts';
import {
  endArguments,
  idArguments,
  LONGEST_WAIT_SECONDS,
  pauseArguments,
  readMessagesArguments,
  sayArguments,
  searchArguments,
  startArguments,
  waitArguments,
} from '../../protocol/tools.ts';
import { callerOf, type Scope } from '../../server/caller.ts';
import { viewConversation } from '../../server/conversation-view.ts';
import { createConversation, settingsFor } from '../../server/creation.ts';
import { guardedBody, tellOf } from '../../server/guarding.ts';
import type { ServerParts } from '../../server/parts.ts';
import { endByUser, findById } from '../../server/routes/conversations.ts';
import { takeHandOn } from '../../server/routes/hands.ts';
import { found } from '../../server/routes/search.ts';
import { messagesOf } from '../../server/routes/transcripts.ts';
import { faultsOf } from '../../server/validation.ts';
import { answered } from './answer.ts';
import { untilEnded } from './wait.ts';

const READS: ToolAnnotations = { readOnlyHint: true, openWorldHint: false };
const ADDS: ToolAnnotations = { readOnlyHint: false, destructiveHint: false, openWorldHint: false };

/**
 * The tools of docs/protocol.md, section 13.1, each over the use case of its route.
 *
 * @param request whose key says what may be done, and for whom
 * @param leaving aborted as the server shuts down
 */
export function registerTools(
  server: McpServer,
  parts: ServerParts,
  request: FastifyRequest,
  leaving: AbortSignal,
): void {
  const view = async (id: string): Promise<Conversation> =>
    viewConversation(await findById(parts, request, id));

  /** Registers a tool that a key with that scope may call. */
  function tool<Arguments extends z.ZodObject>(
    name: string,
    scope: Scope,
    {
      says,
      takes,
      annotations,
      does,
    }: {
      says: string;
      takes: Arguments;
      annotations: ToolAnnotations;
      does: (given: z.output<Arguments>, signal: AbortSignal) => Promise<object>;
    },
  ): void {
    const config = { description: says, inputSchema: takes, annotations };
    server.registerTool(name, config, ((
      given: z.output<Arguments>,
      { mcpReq }: { mcpReq: { signal: AbortSignal } },
    ) => answered(request, name, scope, () => does(given, mcpReq.signal))) as never);
  }

  tool('start_conversation', 'conversations:write', {
    says:
      'Starts a conversation between AI agents. Only `topic` is needed; `scenario` names a beginning such as debate, panel ' +
      'or brainstorm. It runs by itself: use wait_for_end, then read_messages.',
    takes: startArguments(parts.maxMessageLength),
    annotations: ADDS,
    async does(given) {
      const { tenant, key } = callerOf(request);
      const wanted = await settingsFor(given, tenant, parts, tellOf(parts, request));
      const { record } = await createConversation(
        parts,
        { ...wanted, tenant, key, idempotency: null },
        newConversation,
      );
      request.log.info({ conversation_id: record.id }, 'conversation.created');
      return viewConversation(record);
    },
  });

  tool('get_conversation', 'conversations:read', {
    says: 'Reads how a conversation is: status, agents, turns, usage, how it ended and what was decided.',
    takes: idArguments,
    annotations: READS,
    does: ({ id }) => view(id),
  });

  tool('read_messages', 'conversations:read', {
    says: 'Reads what was said, in order. Hand `nextCursor` back as `cursor` for more; null is the end.',
    takes: readMessagesArguments,
    annotations: READS,
    async does({ id, limit, ...given }) {
      const asked = messagesQuery.safeParse({
        ...given,
        ...(limit === undefined ? {} : { limit: `${limit}` }),
      });
      if (!asked.success) throw invalid(faultsOf(asked.error));
      return messagesOf(parts, await findById(parts, request, id), asked.data);
    },
  });

  tool('wait_for_end', 'conversations:read', {
    says:
      `Waits until a conversation has ended, at most ${LONGEST_WAIT_SECONDS} seconds. Where \`ended\` is false, call it ` +
      'again. A conversation that is paused waits for somebody: `conversation.pause` says for whom.',
    takes: waitArguments,
    annotations: READS,
    async does({ id, timeoutSeconds = LONGEST_WAIT_SECONDS }, signal) {
      await findById(parts, request, id);
      await untilEnded(parts, id, timeoutSeconds * 1000, AbortSignal.any([signal, leaving]));
      const conversation = await view(id);
      const ended = conversation.status === 'terminated';
      return { ended, ...(ended ? {} : { next: 'Call wait_for_end again.' }), conversation };
    },
  });

  const { search } = parts;
  if (search) {
    tool('search', 'conversations:read', {
      says: 'Finds messages of all conversations by their words, best match first.',
      takes: searchArguments,
      annotations: READS,
      async does({ limit, ...given }, signal) {
        const asked = searchQuery.safeParse({
          ...given,
          ...(limit === undefined ? {} : { limit: `${limit}` }),
        });
        if (!asked.success) throw invalid(faultsOf(asked.error));
        return await found(search, callerOf(request).reads, asked.data, signal);
      },
    });
  }

  tool('say', 'conversations:write', {
    says: 'Says something in a conversation: as a person who watches, as the moderator, or as the human agent whose turn it is.',
    takes: sayArguments(parts.maxMessageLength),
    annotations: ADDS,
    async does({ id, ...given }) {
      const record = await findById(parts, request, id);
      const { body, found: findings } = await guardedBody(parts, request, record.settings, given, [
        'content',
        'sender',
      ]);
      const { events } = await takeHandOn(parts, request, record, say({ ...body, found: findings }));
      const [said] = events;
      if (said?.type !== 'message') throw new Error('nothing was said');
      return said.message;
    },
  });

  tool('pause', 'conversations:write', {
    says: 'Pauses a conversation; with `now` the turn under way is cut off.',
    takes: pauseArguments,
    annotations: { ...ADDS, idempotentHint: true },
    async does({ id, ...given }) {
      const record = await findById(parts, request, id);
      const { body } = await guardedBody(parts, request, record.settings, given, ['detail']);
      await takeHandOn(parts, request, record, pause(body));
      return view(id);
    },
  });

  tool('resume', 'conversations:write', {
    says: 'Goes on with a conversation that was paused.',
    takes: idArguments,
    annotations: ADDS,
    async does({ id }) {
      await takeHandOn(parts, request, await findById(parts, request, id), resume);
      return view(id);
    },
  });

  tool('end_conversation', 'conversations:write', {
    says: 'Ends a conversation at once, for good. What was said stays.',
    takes: endArguments,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    async does({ id, ...given }) {
      const record = await findById(parts, request, id);
      const { body } = await guardedBody(parts, request, record.settings, given, ['detail']);
      await endByUser(parts, record, body.detail);
      return view(id);
    },
  });
}
