import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MOST_COLLECTIONS, type ReadDocument } from '../../conversation/knowledge/knowledge.ts';
import { AppError, invalid, notFound } from '../../errors.ts';
import {
  collectionList,
  collectionParameter,
  type DocumentSummary,
  documentForm,
  documentList,
  documentParameter,
  documentRequest,
  documentSummary,
  documentWithText,
  isCollectionName,
  passageList,
} from '../../protocol/knowledge.ts';
import { problem } from '../../protocol/problem.ts';
import { knowledgeQuery, passagesQuery } from '../../protocol/requests.ts';
import { callerOf } from '../caller.ts';
import { conversationIds } from '../conversation-ids.ts';
import { idempotencyOf, sha256 } from '../idempotency.ts';
import { type Brought, broughtBy, registerDocumentBodies } from '../knowledge-body.ts';
import type { ServerParts } from '../parts.ts';

const READ = { config: { scope: 'conversations:read' as const } };
const WRITE = { config: { scope: 'conversations:write' as const } };
const FAILURES = { 404: problem, 503: problem };
const GONE = z.undefined().meta({ description: 'It is gone.' });
const tags = ['knowledge'];

/** What agents have read; docs/protocol.md, section 11. */
export async function registerKnowledge(server: FastifyInstance, parts: ServerParts): Promise<void> {
  registerReading(server, parts);
  await server.register(async (scope) => {
    await registerDocumentBodies(scope);
    registerTaking(scope, parts);
  });
}

function registerTaking(server: FastifyInstance, { knowledge, readDocument }: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();
  const nextId = conversationIds();

  app.post(
    '/knowledge/:collection/documents',
    {
      config: {
        ...WRITE.config,
        reads: { 'application/json': documentRequest, 'multipart/form-data': documentForm },
      },
      schema: {
        operationId: 'addDocument',
        summary: 'Add a document to a collection, or replace the one with its id',
        description:
          'As JSON, or a file as `multipart/form-data` in the field `file`: .txt, .md, .html, .pdf, .docx or .csv. 20 MiB at most. The collection is made by its ' +
          'first document.',
        tags,
        params: collectionParameter,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        response: {
          201: documentSummary,
          400: problem,
          404: problem,
          409: problem,
          413: problem,
          415: problem,
          422: problem,
          503: problem,
        },
      },
    },
    async (request, reply) => {
      const { collection } = request.params;
      if (!isCollectionName(collection)) {
        const message = 'takes small letters, digits, - and _, at most 63, with a letter or a digit first';
        throw invalid([{ path: 'collection', message }]);
      }
      const { tenant } = callerOf(request);
      const brought = await broughtBy(request);
      const named = namedRequest(request, brought);
      const answer = async (id: string, isReplay: boolean): Promise<DocumentSummary> => {
        const document = await knowledge.get(tenant, collection, id);
        if (!document) throw notFound('The document was removed meanwhile');
        if (isReplay) reply.header('idempotency-replayed', 'true');
        reply.code(201).header('location', documentPath(collection, id));
        const { text: _text, format: _format, collection: _collection, ...summary } = document;
        return summary;
      };
      const before = named && (await knowledge.replayOf(tenant, named));
      if (before?.outcome === 'replayed') return await answer(before.id, true);
      if (before?.outcome === 'idempotency_mismatch') throw mismatch();

      const { id: made, createdAt } = nextId();
      const document = await read(brought, made, createdAt);
      const kept = await knowledge.put(tenant, collection, document, named);
      switch (kept.outcome) {
        case 'kept':
          return await answer(document.id, false);
        case 'replayed':
          return await answer(kept.id, true);
        case 'idempotency_mismatch':
          throw mismatch();
        case 'full':
          throw new AppError(
            'conflict',
            `At most ${MOST_COLLECTIONS} collections are kept: delete one first`,
          );
        default:
          return kept satisfies never;
      }
    },
  );

  async function read(brought: Brought, madeId: string, createdAt: Date): Promise<ReadDocument> {
    if (brought.kind === 'text') {
      const { id = madeId, title, text, format = 'text', url, metadata } = brought.request;
      const reading = await readDocument({ format, content: text });
      if ('unreadable' in reading) throw invalid([{ path: 'text', message: reading.unreadable }]);
      return { id, title, url, metadata, format, createdAt, ...reading };
    }
    const { fields, name, bytes, format } = brought;
    const reading = await readDocument({ format, content: bytes });
    if ('unreadable' in reading) throw invalid([{ path: 'file', message: reading.unreadable }]);
    const { id = madeId, title = titleFrom(name), url, metadata } = fields;
    return { id, title, url, metadata, format, createdAt, ...reading };
  }
}

function registerReading(server: FastifyInstance, { knowledge }: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/knowledge',
    {
      ...READ,
      schema: {
        operationId: 'listCollections',
        summary: 'List the collections of documents',
        tags,
        querystring: knowledgeQuery,
        response: { 200: collectionList, 400: problem, 503: problem },
      },
    },
    (request) => knowledge.collections(callerOf(request).tenant, request.query),
  );

  app.delete(
    '/knowledge/:collection',
    {
      ...WRITE,
      schema: {
        operationId: 'deleteCollection',
        summary: 'Remove a collection with all its documents',
        tags,
        params: collectionParameter,
        response: { 204: GONE, ...FAILURES },
      },
    },
    async (request, reply) => {
      const { collection } = request.params;
      if (!(await knowledge.deleteCollection(callerOf(request).tenant, collection))) throw noCollection();
      return reply.code(204).send();
    },
  );

  app.get(
    '/knowledge/:collection/documents',
    {
      ...READ,
      schema: {
        operationId: 'listDocuments',
        summary: 'List the documents of a collection',
        tags,
        params: collectionParameter,
        querystring: knowledgeQuery,
        response: { 200: documentList, 400: problem, ...FAILURES },
      },
    },
    async (request) => {
      const page = await knowledge.documents(
        callerOf(request).tenant,
        request.params.collection,
        request.query,
      );
      if (!page) throw noCollection();
      return page;
    },
  );

  app.get(
    '/knowledge/:collection/documents/:id',
    {
      ...READ,
      schema: {
        operationId: 'getDocument',
        summary: 'Read a document with its text',
        tags,
        params: documentParameter,
        response: { 200: documentWithText, ...FAILURES },
      },
    },
    async (request) => {
      const { collection, id } = request.params;
      const document = await knowledge.get(callerOf(request).tenant, collection, id);
      if (!document) throw noDocument();
      return document;
    },
  );

  app.delete(
    '/knowledge/:collection/documents/:id',
    {
      ...WRITE,
      schema: {
        operationId: 'deleteDocument',
        summary: 'Remove a document',
        description: 'The collection goes with its last document.',
        tags,
        params: documentParameter,
        response: { 204: GONE, ...FAILURES },
      },
    },
    async (request, reply) => {
      const { collection, id } = request.params;
      if (!(await knowledge.deleteDocument(callerOf(request).tenant, collection, id))) throw noDocument();
      return reply.code(204).send();
    },
  );

  app.get(
    '/knowledge/:collection/search',
    {
      ...READ,
      schema: {
        operationId: 'searchPassages',
        summary: 'Find passages in a collection, best first',
        tags,
        params: collectionParameter,
        querystring: passagesQuery,
        response: { 200: passageList, 400: problem, ...FAILURES },
      },
    },
    async (request) => {
      const { q, limit } = request.query;
      const { collection } = request.params;
      const signal = AbortSignal.timeout(SEARCH_WITHIN_MS);
      const found = await knowledge.search(callerOf(request).tenant, collection, q, { limit, signal });
      if (!found) throw noCollection();
      const { items, degraded } = found;
      return { items, nextCursor: null, ...(degraded ? { degraded } : {}) };
    },
  );
}

/** Milliseconds. */
const SEARCH_WITHIN_MS = 20_000;

function namedRequest(
  request: FastifyRequest,
  brought: Brought,
): { key: string; bodyHash: string } | undefined {
  const body =
    brought.kind === 'text'
      ? brought.request
      : { ...brought.fields, file: brought.name, bytes: sha256(brought.bytes) };
  const asked = idempotencyOf(request, request.url.split('?', 1)[0], body);
  return asked ? { key: sha256(asked.key), bodyHash: asked.bodyHash } : undefined;
}

function documentPath(collection: string, id: string): string {
  return `/knowledge/${collection}/documents/${encodeURIComponent(id)}`;
}

/** A file's name without its path, and without what can't be in a title. */
function titleFrom(name: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? '';
  const line = base
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028-\u202E\u2066-\u2069]/gu, '')
    .trim();
  return [...line].slice(0, 300).join('') || 'Untitled';
}

function mismatch(): AppError {
  return new AppError('idempotency_mismatch', 'This Idempotency-Key was used before with another body');
}

function noCollection(): AppError {
  return notFound('There is no collection with this name');
}

function noDocument(): AppError {
  return notFound('There is no document with this id');
}
