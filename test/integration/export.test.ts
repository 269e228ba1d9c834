import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { readLog } from '../fixtures/talks.ts';

const HUMAN = { provider: 'human', name: 'Zoe' };

/** A conversation that has ended, in which a person said these things. */
async function talkOf(url: string, contents: readonly string[], extra: object = {}) {
  const agents = [HUMAN, { provider: 'embedded', name: 'Ben', speaks: 'when_mentioned' }];
  const { made } = await create(url, { topic: 'Crème brûlée?', agents, maxTurns: contents.length, ...extra });
  const client = createClient({ baseUrl: url });
  for (const content of contents) {
    await expect.poll(async () => (await client.getConversation(made.id)).pause?.for).toBe('human');
    await client.say(made.id, { content, sender: 'Zoe' });
  }
  await ended(url, made.id);
  return { id: made.id, client };
}

describe('2.9: GET /conversations/{id}/export', () => {
  it('gives what there is, in five formats', async () => {
    const { url } = await startServer();
    const { id, client } = await talkOf(url, ['=1+1, "so"', '**bold**\n```js\nlet open', '@SUM(1)', 'to go']);
    const exported = (format?: string) =>
      call(url, `/conversations/${id}/export${format === undefined ? '' : `?format=${format}`}`);

    const json = await exported();
    expect(json.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="Cr?me br?l?e.json"; filename*=UTF-8''Cr%C3%A8me%20br%C3%BBl%C3%A9e.json`,
    });
    const events = await readLog(url, id);
    expect(json.body).toEqual({ conversation: await client.getConversation(id), events });
    expect((await exported('json')).text).toBe(json.text);

    const lines = (await (await fetch(`${url}/conversations/${id}/export?format=jsonl`)).text())
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(events);

    const markdown = await exported('markdown');
    expect(markdown.headers['content-type']).toBe('text/markdown; charset=utf-8');
    expect(markdown.headers['content-disposition']).toMatch(/\.md"; filename\*=.*\.md$/);
    expect(markdown.text).toMatch(/^# Crème brûlée\?\n/);
    expect(markdown.text).toContain('- **Zoe** (human, ');
    expect(markdown.text).toContain('```js\nlet open\n```\n\n## Zoe\n');

    const html = await exported('html');
    expect(html.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(html.headers['content-security-policy']).toBe(
      "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    );
    expect(html.text).toContain('<p><strong>bold</strong></p>\n<pre><code>let open\n</code></pre>');
    expect(html.text).not.toContain('<script');

    const csv = await exported('csv');
    expect(csv.headers['content-type']).toMatch(/^text\/csv; charset=utf-8/);
    const [header, opening, first] = csv.text.split('\r\n');
    expect(header).toBe(
      'seq,turn,sender,role,timestamp,provider,model,inputTokens,outputTokens,costUsd,content',
    );
    expect(opening).toMatch(/^2,0,Moderator,moderator,[^,]+,,,,,,Crème brûlée\?$/);
    expect(first).toMatch(/^\d+,1,Zoe,human,.*,"'=1\+1, ""so"""$/);
    expect(csv.text).toContain(",'@SUM(1)\r\n");
  });

  it('leaves out what is retracted, and says to whom a whisper was', async () => {
    const { url } = await startServer();
    const { made } = await create(url, {
      topic: 'Tea?',
      agents: [HUMAN, { provider: 'embedded', name: 'Ben' }],
    });
    const client = createClient({ baseUrl: url });
    await expect.poll(async () => (await client.getConversation(made.id)).pause?.for).toBe('human');
    const { seq } = await client.say(made.id, { content: 'a slip of the tongue', sender: 'Eve' });
    await client.retract(made.id, { seq });
    await client.say(made.id, { content: 'a secret word', sender: 'Eve', visibleTo: ['Ben'] });
    for (const format of ['markdown', 'html', 'csv']) {
      const { text } = await call(url, `/conversations/${made.id}/export?format=${format}`);
      expect(text).not.toContain('a slip');
      expect(text).toMatch(/\\?\[retracted\\?\]/);
      expect(text).toContain('a secret word');
      expect(text).toMatch(/to (?:<bdi>)?Ben/);
    }
  });

  it('of a running conversation is of one moment', async () => {
    const { url } = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '1' });
    const { made } = await create(url, {
      topic: 'On and on',
      maxTurns: 200,
      termination: { phrases: [], similarity: { threshold: 1, consecutive: 10 } },
    });
    for (let round = 0; round < 20; round++) {
      const { body } = await call(url, `/conversations/${made.id}/export`);
      const { conversation, events } = body as {
        conversation: { lastSeq: number; turns: number };
        events: { seq: number; type: string }[];
      };
      expect(events.map(({ seq }) => seq)).toEqual(
        Array.from({ length: conversation.lastSeq }, (_, index) => index + 1),
      );
      expect(events.filter(({ type }) => type === 'message')).toHaveLength(conversation.turns + 1);
    }
  });

  it.each([
    ['another format', '?format=pdf', 400],
    ['an empty format', '?format=', 400],
    ['two formats', '?format=json&format=csv', 400],
  ])('refuses %s', async (_name, query, status) => {
    const { url } = await startServer();
    const { made } = await create(url, { topic: 'Tea?', maxTurns: 1 });
    expect((await call(url, `/conversations/${made.id}/export${query}`)).status).toBe(status);
    expect((await call(url, `/conversations/${made.id.replace(/.$/, 'x')}/export`)).status).toBe(404);
  });
});
