import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const document = JSON.parse(
  readFileSync(new URL('../../openapi/asyncapi.json', import.meta.url), 'utf8'),
) as {
  asyncapi: string;
  channels: Record<string, { address: string | null; messages: Record<string, { $ref: string }> }>;
  components: { messages: Record<string, { payload: object }> };
};

it('13.4: /asyncapi.json is the file that `npm run openapi` writes', async () => {
  const { url } = await startServer();
  expect((await call(url, '/asyncapi.json')).body).toEqual(document);
  expect(document.asyncapi).toBe('3.0.0');
  expect(document.channels['stream']?.address).toBe('/conversations/{id}/stream');
});

it('13.4: it is a document of AsyncAPI 3.0, by the schema of its makers', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../node_modules/@asyncapi/specs/schemas/3.0.0.json', import.meta.url), 'utf8'),
  ) as object;
  // The schema has the one of schemas within it.
  const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false });
  const isValid = ajv.compile(schema);
  expect([isValid(document), ajv.errorsText(isValid.errors)]).toEqual([true, 'No errors']);
  expect(isValid({ ...document, channels: { stream: { address: 7 } } })).toBe(false);
});

it('13.4: every frame of a stream is as its message says', async () => {
  const { url } = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '1' });
  const { made } = await create(url, { topic: 'Tea or coffee?', scenario: 'peer-review' });
  const watcher = await watchSocket(url, made.id);
  await watcher.closed;
  await ended(url, made.id);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const seen = new Set<string>();
  for (const frame of watcher.frames) {
    const name = document.channels['stream']?.messages[frame.type]?.$ref.split('/').at(-1) ?? '';
    const payload = document.components.messages[name]?.payload ?? { not: {} };
    seen.add(name);
    expect([frame.type, ajv.validate(payload, frame), ajv.errorsText()]).toEqual([
      frame.type,
      true,
      'No errors',
    ]);
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'conversation.created',
      'message',
      'turn.started',
      'turn.delta',
      'ballot.cast',
      'vote.closed',
    ]),
  );
});
