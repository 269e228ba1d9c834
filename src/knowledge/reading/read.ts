import type { DocumentFormat } from '../../protocol/knowledge.ts';
import { type CutPassage, passagesOf } from './passages.ts';
import { decoded, tidied } from './text.ts';

/** What came: a text, or a file's bytes. */
export interface Unread {
  format: DocumentFormat;
  content: string | Uint8Array;
}

export interface ReadText {
  text: string;
  passages: CutPassage[];
}

/**
 * Takes the text out of a document, and cuts it into passages.
 *
 * @throws UnreadableError
 */
export async function readDocument({ format, content }: Unread): Promise<ReadText> {
  const text = tidied(await textOf(format, content));
  return { text, passages: passagesOf(text, format) };
}

/** What reads a kind of files is loaded when the first of them comes. */
async function textOf(format: DocumentFormat, content: string | Uint8Array): Promise<string> {
  if (typeof content !== 'string' && (format === 'pdf' || format === 'docx')) {
    if (format === 'pdf') return await (await import('./pdf.ts')).pdfText(content);
    return await (await import('./docx.ts')).docxText(content);
  }
  const text = typeof content === 'string' ? content : decoded(content);
  if (format === 'html') return (await import('./html.ts')).htmlText(text);
  return format === 'csv' ? (await import('./csv.ts')).csvText(text) : text;
}
