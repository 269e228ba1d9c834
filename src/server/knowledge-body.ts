import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AppError, invalid } from '../errors.ts';
import {
  type DocumentFormat,
  documentFields,
  documentRequest,
  formatOf,
  MOST_DOCUMENT_BYTES,
} from '../protocol/knowledge.ts';
import { registerJsonParser } from './body.ts';
import { faultsOf } from './validation.ts';

/** What a request brings: a text, or a file with what is said beside it. */
export type Brought =
  | { kind: 'text'; request: z.output<typeof documentRequest> }
  | {
      kind: 'file';
      fields: z.output<typeof documentFields>;
      name: string;
      format: DocumentFormat;
      bytes: Buffer;
    };

/** More than the text may have, since JSON escapes some of it. */
const MOST_BODY_BYTES = MOST_DOCUMENT_BYTES + 4 * 1024 * 1024;
/** Documents on their way in at once: each may be as large as it may. */
const MOST_AT_ONCE = 16;

/** Lets routes of this scope take documents: JSON of their size, and forms with one file. */
export async function registerDocumentBodies(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers();
  registerJsonParser(app, MOST_BODY_BYTES, 'application/json or multipart/form-data');
  await app.register(multipart, {
    limits: { fileSize: MOST_DOCUMENT_BYTES, files: 1, fields: 8, fieldSize: 16 * 1024, parts: 10 },
    throwFileSizeLimit: true,
  });
  let onTheirWay = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'POST') return done();
    if (onTheirWay >= MOST_AT_ONCE) {
      return done(
        new AppError('overloaded', 'Too many documents are on their way in', { retryAfterSeconds: 5 }),
      );
    }
    onTheirWay++;
    reply.raw.once('close', () => onTheirWay--);
    done();
  });
}

/** @throws AppError `validation_failed`, `payload_too_large`, `unsupported_media_type` */
export async function broughtBy(request: FastifyRequest): Promise<Brought> {
  if (!request.isMultipart()) {
    const brought = checked(documentRequest, request.body);
    if (Buffer.byteLength(brought.text) > MOST_DOCUMENT_BYTES) throw tooLarge('text');
    return { kind: 'text', request: brought };
  }
  const said: Record<string, unknown> = {};
  let file: { name: string; format: DocumentFormat; bytes: Buffer } | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') {
        if (part.fieldname !== 'file')
          throw invalid([{ path: part.fieldname, message: 'is not a known field' }]);
        const name = part.filename ?? '';
        const format = formatOf(name);
        if (!format)
          throw new AppError(
            'unsupported_media_type',
            `takes files ${ENDINGS}, not ${JSON.stringify(name.slice(-50))}`,
          );
        file = { name, format, bytes: await part.toBuffer() };
      } else if (part.valueTruncated) throw invalid([{ path: part.fieldname, message: 'is too long' }]);
      else said[part.fieldname] = part.value;
    }
  } catch (error) {
    throw formError(error);
  }
  if (!file) throw invalid([{ path: 'file', message: 'is missing' }]);
  if (typeof said['metadata'] === 'string') said['metadata'] = parsed(said['metadata']);
  return { kind: 'file', fields: checked(documentFields, said), ...file };
}

function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(faultsOf(result.error));
  return result.data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid([{ path: 'metadata', message: 'is not valid JSON' }]);
  }
}

/** What the form's reader says of a form that is none, or too large. */
function formError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, message } = error as { code?: string; message: string };
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge('file');
  const detail = `The form can't be read: ${message.slice(0, 200)}`;
  return new AppError('validation_failed', detail, {
    faults: [{ path: 'file', message: message.slice(0, 200) }],
  });
}

const ENDINGS = '.txt, .md, .html, .pdf, .docx, .csv';

function tooLarge(what: string): AppError {
  return new AppError('payload_too_large', `The ${what} is larger than 20 MiB`);
}
