import type { ExportFormat } from '../protocol/export.ts';
import { fileNameOf } from './file-name.ts';
import type { ExportSource } from './source.ts';

/** A download: its headers, and its text in pieces, each made when the one before it is taken. */
interface Export {
  headers: Record<string, string>;
  text: AsyncIterable<string>;
}

interface Format {
  extension: string;
  type: string;
  headers?: Record<string, string>;
  /** What writes it is loaded when it is first wanted. */
  write: (source: ExportSource) => Promise<AsyncIterable<string>>;
}

const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  json: {
    extension: 'json',
    type: 'application/json; charset=utf-8',
    write: async (source) => (await import('./json.ts')).toJson(source),
  },
  jsonl: {
    extension: 'jsonl',
    type: 'application/x-ndjson; charset=utf-8',
    write: async (source) => (await import('./json.ts')).toJsonLines(source),
  },
  markdown: {
    extension: 'md',
    type: 'text/markdown; charset=utf-8',
    write: async (source) => (await import('./markdown.ts')).toMarkdown(source),
  },
  html: {
    extension: 'html',
    type: 'text/html; charset=utf-8',
    headers: {
      'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    },
    write: async (source) => (await import('./html.ts')).toHtml(source),
  },
  csv: {
    extension: 'csv',
    type: 'text/csv; charset=utf-8; header=present',
    write: async (source) => (await import('./csv.ts')).toCsv(source),
  },
};

/** Of all formats; without parameters. */
export const MEDIA_TYPES: string[] = Object.values(FORMATS).map(({ type }) => type.replace(/;.*/, ''));

/** Writes a conversation in a format. Not all of it is ever in memory. */
export async function exportAs(format: ExportFormat, source: ExportSource): Promise<Export> {
  const { extension, type, headers = {}, write } = FORMATS[format];
  const { contentDisposition } = await import('./content-disposition.ts');
  const fileName = fileNameOf(source.record.settings.topic, extension);
  return {
    headers: { 'content-type': type, 'content-disposition': contentDisposition(fileName), ...headers },
    text: await write(source),
  };
}
