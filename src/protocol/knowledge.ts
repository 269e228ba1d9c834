import { z } from 'zod';
import { count, time } from './fields.ts';
import { document, line } from './text.ts';

/** Of a document or file, in bytes; so a document's text has at most as many characters. */
export const MOST_DOCUMENT_BYTES = 20 * 1024 * 1024;
/** Passages that are shown of a collection at most, and how many where nobody says. */
const MOST_PASSAGES = 20;
export const USUAL_PASSAGES = 5;

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** What a collection may be called; docs/protocol.md, section 11.1. */
const collectionName = z
  .string()
  .regex(NAME, 'takes small letters, digits, - and _, at most 63, with a letter or a digit first');

export function isCollectionName(name: string): boolean {
  return NAME.test(name);
}

/** What agents look up; section 11.3. */
export const knowledgeUse = z.strictObject({
  collection: collectionName,
  passages: z
    .number({ error: `takes a whole number from 1 to ${MOST_PASSAGES}` })
    .int()
    .min(1)
    .max(MOST_PASSAGES)
    .optional(),
  minScore: z.number({ error: 'takes a number from 0 to 1' }).min(0).max(1).optional(),
});

export const knowledgeUses = z
  .array(knowledgeUse)
  .max(8, 'takes at most 8 collections')
  .refine((uses) => new Set(uses.map(({ collection }) => collection)).size === uses.length, {
    error: 'names a collection twice',
  });

const documentFormat = z.enum(['text', 'markdown', 'html'], 'takes text, markdown or html');

const BY_ENDING = {
  txt: 'text',
  md: 'markdown',
  html: 'html',
  pdf: 'pdf',
  docx: 'docx',
  csv: 'csv',
} as const;

/** What a file of this name holds; undefined for a kind that isn't read. */
export function formatOf(fileName: string): DocumentFormat | undefined {
  const ending = /\.([a-z]{2,4})$/i.exec(fileName)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(BY_ENDING, ending) ? BY_ENDING[ending as keyof typeof BY_ENDING] : undefined;
}

/** What tells a document from others, within its collection. */
const documentId = line(128).refine((id) => id !== '.' && id !== '..', 'can be no part of a path');

const metadataValue = z.union([z.string().max(512), z.number(), z.boolean()], {
  error: 'takes a string of at most 512 characters, a number, or true or false',
});
const documentMetadata = z
  .record(line(512), metadataValue)
  .refine((entries) => Object.keys(entries).length <= 16, { error: 'takes at most 16 entries' });

const url = z
  .string()
  .max(2000)
  .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), 'takes a URL with http or https');

const described = {
  id: documentId.optional(),
  url: url.optional(),
  metadata: documentMetadata.optional(),
};

/** The body of POST /knowledge/{collection}/documents as JSON. */
export const documentRequest = z
  .strictObject({
    ...described,
    title: line(300),
    text: document,
    format: documentFormat.optional(),
  })
  .meta({ id: 'AddDocument' });

/** What stands beside a file, where it comes as a form. */
export const documentFields = z.strictObject({ ...described, title: line(300).optional() });

/** Such a form, as a client puts it together: texts alone, and the file. */
export const documentForm = documentFields
  .extend({ metadata: z.string().meta({ description: 'JSON' }).optional() })
  .extend({ file: z.string().meta({ format: 'binary' }) });

/** A document as it was taken; without its text. */
export const documentSummary = z
  .object({
    id: z.string(),
    title: z.string(),
    passages: count,
    /** UTF-16 units of its text. */
    characters: count,
    createdAt: time,
    url: z.string().optional(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .meta({ id: 'Document' });

export const documentWithText = documentSummary.extend({
  collection: z.string(),
  format: z.enum(['text', 'markdown', 'html', 'pdf', 'docx', 'csv']),
  /** What passages' offsets are of. */
  text: z.string(),
});

export const documentList = z.object({ items: z.array(documentSummary), nextCursor: z.string().nullable() });

const collection = z
  .object({ collection: z.string(), documents: count, passages: count })
  .meta({ id: 'Collection' });

export const collectionList = z.object({ items: z.array(collection), nextCursor: z.string().nullable() });

const passage = z
  .object({
    documentId: z.string(),
    title: z.string(),
    /** Its number in the document, from 1. */
    passage: count,
    text: z.string(),
    /** 0 to 1, higher is better. */
    score: z.number(),
    /** UTF-16 offsets into the document's text. */
    from: count,
    to: count,
  })
  .meta({ id: 'Passage' });

export const passageList = z.object({
  items: z.array(passage),
  nextCursor: z.null(),
  /** True where the vendor of embeddings was away, so that words alone were compared. */
  degraded: z.boolean().optional(),
});

export const collectionParameter = z.object({ collection: z.string() });
export const documentParameter = z.object({ collection: z.string(), id: z.string() });

export type KnowledgeUse = z.infer<typeof knowledgeUse>;
export type DocumentRequest = z.infer<typeof documentRequest>;
export type DocumentFields = z.infer<typeof documentFields>;
export type DocumentSummary = z.infer<typeof documentSummary>;
export type DocumentWithText = z.infer<typeof documentWithText>;
export type DocumentFormat = DocumentWithText['format'];
export type CollectionSummary = z.infer<typeof collection>;
export type Passage = z.infer<typeof passage>;
export type PassageList = z.infer<typeof passageList>;
