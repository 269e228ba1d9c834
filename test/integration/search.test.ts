import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { conversationList, searchList } from '../../src/protocol/lists.ts';
import { create, ended, keeping } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';

describe('2.8: GET /search', () => {
  it('finds what was said in any conversation, and forgets what is deleted or retracted', async () => {
    const { url } = await startServer();
    const search = async (q: string) =>
      keeping(searchList, await call(url, `/search?q=${encodeURIComponent(q)}`)).items;
    const client = createClient({ baseUrl: url });
    const { made } = await create(url, { topic: 'Crème brûlée, or 東京?', maxTurns: 2, metadata: { n: 1 } });
    await ended(url, made.id);
    const [hit] = await search('"creme brulee" 東京');
    expect(hit).toMatchObject({
      conversationId: made.id,
      topic: made.topic,
      seq: 2,
      turn: 0,
      sender: 'Moderator',
    });
    expect(hit?.highlights.map(([from, to]) => hit.snippet.slice(from, to))).toEqual([
      'Crème brûlée',
      '東京',
    ]);

    const { items } = await client.messages(made.id);
    const content = items[1]?.content ?? '';
    const [said] = await search(`"${content.replaceAll('"', ' ')}"`);
    expect(said).toMatchObject({ seq: 3, sender: 'Eliza', at: items[1]?.timestamp });
    expect(content).toContain(said?.snippet);
    await client.deleteConversation(made.id);
    expect(await search('creme')).toEqual([]);
  });

  it('takes 2,000 characters of any script', async () => {
    const { url } = await startServer();
    for (const character of ['a', '東', '🎉', '"', '* ']) {
      const q = encodeURIComponent(character.repeat(2000 / character.length));
      expect((await call(url, `/search?q=${q}`)).body).toEqual({ items: [], nextCursor: null });
    }
    const many = Array.from({ length: 660 }, (_, index) => index % 100).join(' ');
    expect((await call(url, `/search?q=${encodeURIComponent(many)}`)).body).toMatchObject({ items: [] });
  });

  it('filters by label, as lists do', async () => {
    const { url } = await startServer();
    const talk = async (metadata: object) =>
      (await create(url, { topic: 'labelled tea', maxTurns: 1, metadata })).made.id;
    const one = await talk({ experiment: '42', blind: true });
    const two = await talk({ experiment: '43', 'a key': 'a value' });
    const listed = async (query: string) =>
      keeping(conversationList, await call(url, `/conversations?${query}`)).items.map(({ id }) => id);
    const found = async (query: string) =>
      keeping(searchList, await call(url, `/search?q=labelled&${query}`)).items.map(
        (hit) => hit.conversationId,
      );
    for (const ids of [listed, found]) {
      expect(await ids('label.experiment=42')).toContain(one);
      expect(await ids('label.experiment=42')).not.toContain(two);
      expect(await ids('label.experiment=42&label.blind=true')).toContain(one);
      expect(await ids('label.experiment=42&label.blind=false')).toEqual([]);
      expect(await ids('label.a%20key=a+value')).toContain(two);
      expect(await ids('label.none=1')).toEqual([]);
    }
  });
});
