import { unzipSync } from 'fflate';
import mammoth from 'mammoth';
import { htmlText } from './html.ts';
import { UnreadableError } from './unreadable.ts';

/** Of all parts that are read, unpacked, in bytes; and how many there may be in the file. */
const MOST_UNPACKED = 64 * 1024 * 1024;
const MOST_PARTS = 5000;

/**
 * The text of a Word document, by way of HTML. It is unpacked here, within bounds, and mammoth is handed the parts:
 * its own unpacking has none. Of pictures and other media nothing is unpacked.
 *
 * @throws UnreadableError
 */
export async function docxText(bytes: Uint8Array): Promise<string> {
  const parts = unpacked(bytes);
  const read = async (name: string, encoding?: string): Promise<string | Uint8Array> => {
    const part = parts[name] ?? new Uint8Array();
    if (encoding === 'base64') return Buffer.from(part).toString('base64');
    return encoding ? new TextDecoder(encoding).decode(part) : part;
  };
  const file = { exists: (name: string) => Object.hasOwn(parts, name), read };
  if (!file.exists('word/document.xml')) throw new UnreadableError('it is no Word document');
  try {
    // What mammoth takes in the place of a file; its types don't know it.
    const input = { file } as unknown as Parameters<typeof mammoth.convertToHtml>[0];
    const options = { convertImage: mammoth.images.imgElement(async () => ({ src: '' })) };
    return htmlText((await mammoth.convertToHtml(input, options)).value);
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    throw new UnreadableError(
      // The parser of XML says in further lines where it was.
      `it is no Word document that can be read: ${(error as Error).message.split('\n', 1)[0]?.slice(0, 200)}`,
    );
  }
}

/** What a part says of its size bounds what is unpacked of it: fflate fills a buffer of that size, and no more. */
function unpacked(bytes: Uint8Array): Record<string, Uint8Array> {
  let [count, size] = [0, 0];
  try {
    return unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        if (++count > MOST_PARTS) throw new UnreadableError(`it has more than ${MOST_PARTS} parts`);
        if (!/\.(?:xml|rels)$/.test(name)) return false;
        size += originalSize;
        if (size > MOST_UNPACKED) throw new UnreadableError('it unpacks to more than 64 MiB');
        return true;
      },
    });
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    throw new UnreadableError(`it is no Word document: ${(error as Error).message.slice(0, 200)}`);
  }
}
