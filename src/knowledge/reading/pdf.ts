import { getDocumentProxy } from 'unpdf';
import { assertFits, UnreadableError } from './unreadable.ts';

const MOST_PAGES = 2000;

/**
 * The text of a PDF, with a blank line between pages, and lines as they stand on the page.
 *
 * @throws UnreadableError
 */
export async function pdfText(bytes: Uint8Array): Promise<string> {
  if (!Buffer.from(bytes.subarray(0, 1024)).includes('%PDF-')) throw new UnreadableError('it is no PDF');
  try {
    const pdf = await getDocumentProxy(bytes, { stopAtErrors: false, verbosity: 0 });
    if (pdf.numPages > MOST_PAGES) {
      throw new UnreadableError(`it has ${pdf.numPages} pages, and at most ${MOST_PAGES} are read`);
    }
    const pages: string[] = [];
    let characters = 0;
    for (let number = 1; number <= pdf.numPages; number++) {
      const page = await pdf.getPage(number);
      const text = await pageText(page);
      page.cleanup();
      assertFits((characters += text.length + 2));
      pages.push(text);
    }
    return pages.filter((page) => page !== '').join('\n\n');
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    const { name, message } = error as Error;
    const why = name === 'PasswordException' ? 'it wants a password' : message.slice(0, 200);
    throw new UnreadableError(`it is no PDF that can be read: ${why}`);
  }
}

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof getDocumentProxy>>['getPage']>>;

async function pageText(page: Page): Promise<string> {
  const { items } = await page.getTextContent();
  let text = '';
  let lastY: number | undefined;
  let height = 0;
  for (const item of items) {
    if (!('str' in item)) continue;
    const y = item.transform[5] as number;
    // A gap of more than a line and a half is a new paragraph.
    if (lastY !== undefined && lastY - y > 1.8 * (height || 12)) text = `${text.trimEnd()}\n\n`;
    text += item.str;
    if (item.hasEOL) text += '\n';
    if (item.str.trim() !== '') [lastY, height] = [y, item.height || height];
  }
  return text.replaceAll(/[ \t]+\n/g, '\n').trim();
}
