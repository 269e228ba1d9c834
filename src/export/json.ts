import type { ExportSource } from './source.ts';

/** `{ conversation, events }`, with the events as they stand in the log. */
export async function* toJson({ view, pages }: ExportSource): AsyncGenerator<string> {
  yield `{"conversation":${JSON.stringify(view)},"events":[`;
  let separator = '\n';
  for await (const page of pages) {
    yield separator + page.map(({ json }) => json).join(',\n');
    separator = ',\n';
  }
  yield '\n]}\n';
}

/** An event a line. */
export async function* toJsonLines({ pages }: ExportSource): AsyncGenerator<string> {
  for await (const page of pages) yield page.map(({ json }) => `${json}\n`).join('');
}
