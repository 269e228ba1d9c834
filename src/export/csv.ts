import { stringify } from 'csv-stringify/sync';
import type { Message } from '../conversation/log/events.ts';
import { type ExportSource, messagesOf, RETRACTED } from './source.ts';

const COLUMNS = [
  'seq',
  'turn',
  'sender',
  'role',
  'timestamp',
  'provider',
  'model',
  'inputTokens',
  'outputTokens',
  'costUsd',
  'content',
];

/** RFC 4180; what a spreadsheet would take for a formula begins with an apostrophe. */
export async function* toCsv(source: ExportSource): AsyncGenerator<string> {
  yield rows([COLUMNS]);
  for await (const messages of messagesOf(source)) yield rows(messages.map(cellsOf));
}

function rows(cells: readonly (readonly unknown[])[]): string {
  return stringify([...cells], { record_delimiter: '\r\n', escape_formulas: true });
}

function cellsOf(message: Message): unknown[] {
  const { seq, turn, sender, role, timestamp, metadata } = message;
  const { provider, model, inputTokens, outputTokens, costUsd } = metadata;
  const call = [provider, model, inputTokens, outputTokens, costUsd];
  return [seq, turn, sender, role, timestamp, ...call, contentOf(message)];
}

function contentOf({ retracted, visibleTo, content }: Message): string {
  const said = retracted ? RETRACTED : content;
  return visibleTo ? `[to ${visibleTo.join(', ')}] ${said}` : said;
}
