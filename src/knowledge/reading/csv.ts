import { parse } from 'csv-parse/sync';
import { assertFits, UnreadableError } from './unreadable.ts';

/** Each row is a paragraph of lines, `COLUMN: value`, so that a passage says what its values are. */
export function csvText(text: string): string {
  const rows = rowsOf(text);
  const [header = [], ...records] = rows;
  if (records.length === 0) return header.join(', ');
  let characters = 0;
  const paragraphs = records.map((record) => {
    const lines = record.flatMap((value, column) => {
      const shown = value.trim();
      const name = header[column]?.trim() || `column ${column + 1}`;
      return shown === '' ? [] : [`${name}: ${shown}`];
    });
    const paragraph = lines.join('\n');
    assertFits((characters += paragraph.length + 2));
    return paragraph;
  });
  return paragraphs.filter((paragraph) => paragraph !== '').join('\n\n');
}

function rowsOf(text: string): string[][] {
  try {
    return parse(text, {
      delimiter: delimiterOf(text),
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      bom: true,
    });
  } catch (error) {
    throw new UnreadableError(`it is no CSV: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** What its first line has most of, outside of quotes. */
function delimiterOf(text: string): string {
  const first = (/^[^\n]{0,10000}/.exec(text)?.[0] ?? '').replaceAll(/"[^"]*"/g, '');
  const counts = [',', ';', '\t', '|'].map((mark): [string, number] => [mark, first.split(mark).length]);
  return counts.reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}
