import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ExportedConversation } from '../../src/client/types.ts';
import { aic } from '../fixtures/command-line.ts';
import { create, ended, TIME } from '../fixtures/conversation-routes.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

type Exported = { conversation: Record<string, unknown>; events: Record<string, unknown>[] };

const exported = async (url: string, id: string, headers?: Record<string, string>): Promise<Exported> =>
  (await call(url, `/conversations/${id}/export`, { headers })).body as Exported;
const take = (url: string, body: object, headers?: Record<string, string>) =>
  call(url, '/conversations/import', { body, headers });

/** What an export has in common with that of its import. */
function lasting({ conversation, events: [created, ...events] }: Exported): object {
  const { id: _id, tenant: _tenant, ...seen } = conversation;
  const { tenant: _owner, key: _key, importedFrom: _from, ...beginning } = created ?? {};
  return { ...seen, events: [beginning, ...events] };
}

/** A talk with hands in it, which has ended. */
async function talk(url: string): Promise<string> {
  const client = createClient({ baseUrl: url });
  const { made } = await create(url, {
    topic: 'Tea or coffee?',
    agents: [
      { provider: 'embedded', name: 'Ben' },
      { provider: 'human', name: 'Zoe' },
      { provider: 'embedded', name: 'Cleo' },
    ],
    maxTurns: 4,
    decision: { type: 'vote', method: 'ranked', options: ['tea', 'coffee'], at: 'end' },
    approval: 'every_turn',
    metadata: { 'experiment 1': 42, isTrial: true },
    termination: { phrases: [] },
  });
  const decide = async (decision: 'approve' | 'edit' | 'reject', content?: string): Promise<void> => {
    await expect.poll(async () => (await client.getConversation(made.id)).pause?.for).toBe('approval');
    await client.approve(made.id, { decision, ...(content === undefined ? {} : { content }) });
  };
  await decide('reject');
  const { seq } = await client.say(made.id, { content: 'A slip of the tongue', sender: 'Eve' });
  await client.retract(made.id, { seq });
  await client.say(made.id, { content: 'A secret', sender: 'Eve', visibleTo: ['Ben'] });
  await decide('edit', 'Ask Zoe, please.');
  await expect.poll(async () => (await client.getConversation(made.id)).pause?.for).toBe('human');
  await client.say(made.id, { content: 'Crème brûlée — 茶 🍵', sender: 'Zoe' });
  await decide('approve');
  await decide('approve');
  await ended(url, made.id);
  return made.id;
}

const at = '2026-01-31T12:00:00.000Z';
const similarity = { threshold: 1, consecutive: 10 };
const agents = ['Ada', 'Ben'].map((name) => ({
  name,
  provider: 'elsewhere',
  model: 'm-1',
  temperature: 0.7,
  maxOutputTokens: 1024,
}));
const settings = {
  topic: 'Tea?',
  agents,
  openingMessage: 'Tea?',
  maxTurns: 10,
  timeoutSeconds: 1800,
  contextMessages: 10,
  termination: { phrases: [], minTurns: 2, similarity },
  metadata: {},
};
const created = (extra: object = {}) => ({ seq: 1, type: 'conversation.created', at, settings, ...extra });
const message = (seq: number, turn: number, extra: object = {}) => ({
  seq,
  type: 'message',
  at,
  message: {
    seq,
    turn,
    sender: turn === 0 ? 'Moderator' : ['Ben', 'Ada'][turn % 2],
    role: turn === 0 ? 'moderator' : 'agent',
    content: `turn ${turn}`,
    timestamp: at,
    metadata: turn === 0 ? {} : { inputTokens: 3, outputTokens: 2, costUsd: 0.5 },
    ...extra,
  },
});
const opened = [created(), message(2, 0)];
const end = (seq: number) => ({
  seq,
  type: 'conversation.terminated',
  at,
  reason: 'max_turns',
  by: 'system',
});

describe('2.10: POST /conversations/import', () => {
  it.each(['the embedded storage', 'Redis'])('gives what was exported, over %s', async (storage) => {
    const extra: Record<string, string> = storage === 'Redis' ? { REDIS_URL: (await redisOfTest()).url } : {};
    const { url } = await startServer(extra);
    const original = await exported(url, await talk(url));
    const answer = await take(url, original);
    expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
    const { id } = answer.body as { id: string };
    expect(answer.headers['location']).toBe(`/conversations/${id}`);
    const again = await exported(url, id);
    expect(answer.body).toEqual(again.conversation);
    expect(lasting(again)).toEqual(lasting(original));
    expect(JSON.stringify(again.events.slice(1))).toBe(JSON.stringify(original.events.slice(1)));
    expect(again.events[0]).toMatchObject({
      importedFrom: { id: original.conversation['id'], at: expect.stringMatching(TIME) },
    });
    // Without the conversation beside the events, as in JSON lines.
    const { body } = await take(url, { events: original.events });
    const lone = await exported(url, (body as { id: string }).id);
    expect(lone.events.slice(1)).toEqual(original.events.slice(1));
    const { items } = await createClient({ baseUrl: url }).listConversations({ 'label.experiment 1': '42' });
    expect(items.map((each) => each.id)).toEqual([lone.conversation['id'], id, original.conversation['id']]);
    await expect
      .poll(async () => {
        const { items: hits } = await createClient({ baseUrl: url }).search({ q: 'brûlée' });
        return [...new Set(hits.map(({ conversationId }) => conversationId))].toSorted();
      })
      .toEqual(items.map((each) => each.id).toSorted());
    // It goes on in a fork.
    const fork = await call(url, `/conversations/${id}/fork`, { body: { approval: 'none' } });
    expect(fork.body).toMatchObject({ forkedFrom: { id } });
  });

  it('takes every built-in scenario', async () => {
    const { url } = await startServer();
    const client = createClient({ baseUrl: url });
    const { items } = await client.scenarios();
    for (const { name } of items) {
      const { id } = await client.createConversation({ topic: 'Tea?', scenario: name });
      await client.terminate(id);
      const original = await exported(url, id);
      const { status, text, body } = await take(url, original);
      expect([name, status, text]).toEqual([name, 201, expect.anything()]);
      expect(lasting(await exported(url, (body as { id: string }).id))).toEqual(lasting(original));
    }
  });

  it('ends what had not ended, and runs nothing', async () => {
    const { url } = await startServer();
    const { body } = await take(url, { events: [...opened, message(3, 1)] });
    expect(body).toMatchObject({
      status: 'terminated',
      turns: 1,
      createdAt: at,
      startedAt: at,
      endedAt: expect.stringMatching(TIME),
      usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, costUsd: 0.5 },
      termination: { reason: 'user', by: 'user', detail: 'It was imported before its end' },
      lastSeq: 4,
    });
  });

  it('keeps events of types that it does not know, and fields of those that it does', async () => {
    const { url } = await startServer();
    const events = [
      created({ newer: { deep: [1, 'two', null] } }),
      { ...message(2, 0), newer: 'é' },
      { seq: 3, type: 'conversation.applauded', at, by: ['x'], how: { loud: true } },
      end(4),
    ];
    const { body } = await take(url, { events });
    const again = await exported(url, (body as { id: string }).id);
    expect(again.events.slice(1)).toEqual(events.slice(1));
    expect(again.events[0]).toMatchObject(created({ newer: { deep: [1, 'two', null] } }));
    expect(body).toMatchObject({ status: 'terminated', lastSeq: 4 });
  });

  const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  const refused: [string, unknown, string][] = [
    ['no events', { events: [] }, 'events'],
    ['a body of something else', { items: [] }, 'events'],
    ['an unknown field', { events: opened, more: 1 }, 'more'],
    ['another beginning', { events: [message(1, 0)] }, 'events.0.type'],
    ['a second beginning', { events: [...opened, { ...created(), seq: 3 }] }, 'events.2.type'],
    ['a gap', { events: [...opened, message(4, 1)] }, 'events.2.seq'],
    ['a wrong order', { events: opened.toReversed() }, 'events.0.seq'],
    ['a seq twice', { events: [...opened, message(2, 1)] }, 'events.2.seq'],
    ['something behind the end', { events: [...opened, end(3), message(4, 1)] }, 'events.3'],
    ['a turn twice', { events: [...opened, message(3, 1), message(4, 1)] }, 'events.3.message.turn'],
    ['a turn to come', { events: [...opened, message(3, 5, { role: 'human' })] }, 'events.2.message.turn'],
    [
      "a seq that isn't its event's",
      { events: [...opened, message(3, 1, { seq: 9 })] },
      'events.2.message.seq',
    ],
    ['an unknown role', { events: [...opened, message(3, 1, { role: 'boss' })] }, 'events.2.message.role'],
    [
      'a control character',
      { events: [...opened, message(3, 1, { content: '\u001b[2J' })] },
      'events.2.message.content',
    ],
    [
      'half a character',
      { events: [...opened, message(3, 1, { content: '\ud800' })] },
      'events.2.message.content',
    ],
    [
      'a name on two lines',
      { events: [...opened, message(3, 1, { sender: 'A\nB' })] },
      'events.2.message.sender',
    ],
    ['no time', { events: [...opened, { ...end(3), at: 'yesterday' }] }, 'events.2.at'],
    ['no event', { events: [...opened, null] }, 'events.2.type'],
    ['a type that is none', { events: [...opened, { seq: 3, type: 'A B', at }] }, 'events.2.type'],
    [
      'a retraction of nothing',
      { events: [...opened, { seq: 3, type: 'message.retracted', at, target: 9, by: 'user' }] },
      'events.2.target',
    ],
    [
      'what is nested deeply',
      { events: [...opened, { seq: 3, type: 'new', at, in: nested(5000) }] },
      'events.2',
    ],
    [
      'tokens beyond counting',
      {
        events: [
          ...opened,
          message(3, 1, { metadata: { inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 9 } }),
        ],
      },
      'events',
    ],
    [
      'one agent',
      { events: [created({ settings: { ...settings, agents: agents.slice(1) } }), message(2, 0)] },
      'events.0.settings.agents',
    ],
    [
      'agents of one name',
      { events: [created({ settings: { ...settings, agents: [agents[0], agents[0]] } }), message(2, 0)] },
      'events.0.settings.agents',
    ],
    [
      'a topic of nothing',
      { events: [created({ settings: { ...settings, topic: ' ' } }), message(2, 0)] },
      'events.0.settings.topic',
    ],
    [
      'settings of nothing',
      { events: [created({ settings: {} }), message(2, 0)] },
      'events.0.settings.topic',
    ],
  ];
  it('refuses what no server has written', async () => {
    const { url } = await startServer();
    for (const [name, body, path] of refused) {
      const { status, body: problem, text } = await take(url, body as object);
      expect([name, status, text]).toEqual([name, 400, expect.anything()]);
      expect(problem).toMatchObject({ code: 'validation_failed' });
      const { errors } = problem as { errors: { path: string }[] };
      expect(errors.map((each) => each.path)).toContain(path);
    }
    const large = { events: [...opened, message(3, 1, { content: 'x'.repeat(17 * 1024 * 1024) })] };
    expect((await take(url, large)).status).toBe(413);
    const many = { events: Array.from({ length: 20_001 }, () => 1) };
    expect((await take(url, many)).body).toMatchObject({ errors: [{ path: 'events' }] });
    const other = await fetch(`${url}/conversations/import`, { method: 'POST', body: 'seq,turn' });
    expect(other.status).toBe(415);
    expect((await createClient({ baseUrl: url }).listConversations()).items).toEqual([]);
  });

  it('8.3, 8.4: belongs to who imports it, whomever the export names', async () => {
    const [mine, theirs] = [keyOf('mine', 'me'), keyOf('theirs', 'them')];
    const reading = keyOf('mine', 'reader', ['conversations:read']);
    const { url } = await startServer({ API_KEYS: listed(mine, theirs, reading) });
    const events = [created({ tenant: 'theirs', key: 'them' }), message(2, 0), end(3)];
    expect((await take(url, { events })).status).toBe(401);
    expect((await take(url, { events }, reading.headers)).status).toBe(403);
    const { body } = await take(url, { events }, mine.headers);
    const { id } = body as { id: string };
    expect(body).toMatchObject({ tenant: 'mine' });
    expect((await call(url, `/conversations/${id}`, theirs)).status).toBe(404);
    const [first] = (await exported(url, id, mine.headers)).events;
    expect(first).toMatchObject({ tenant: 'mine', key: 'me' });
  });

  it('8.6: passes the guards', async () => {
    const address = 'zoe@example.org';
    const said = { events: [...opened, message(3, 1, { content: `Write to ${address}!` }), end(4)] };
    const { url } = await startServer({ GUARD_PERSONAL_DATA: 'redact' });
    const { body } = await take(url, said);
    const { items } = await createClient({ baseUrl: url }).messages((body as { id: string }).id);
    expect(items[1]).toMatchObject({
      content: 'Write to [REDACTED:email]!',
      metadata: { guard: [{ scanner: 'personal_data', action: 'redact', count: 1 }], inputTokens: 3 },
    });
    const strict = await startServer({ GUARD_PERSONAL_DATA: 'block' });
    expect((await take(strict.url, said)).body).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'events.2.message.content', message: expect.stringContaining('personal_data') }],
    });
    expect((await createClient({ baseUrl: strict.url }).listConversations()).items).toEqual([]);
  });
});

describe('15: aic import', () => {
  it('takes JSON and JSON lines, over DATA_DIR and at a server', async () => {
    const folder = temporaryFolder();
    const started = await aic(
      ['Tea?', '--agent', 'embedded', '--agent', 'embedded', '--turns', '2', '--json'],
      {
        folder,
      },
    );
    const { conversationId: id } = JSON.parse(started.out.split('\n')[0] ?? '') as { conversationId: string };
    await Promise.all(
      ['json', 'jsonl'].map((format) =>
        aic(['export', id, '--format', format, '-o', `talk.${format}`], { folder }),
      ),
    );
    const local = await aic(['import', 'talk.json', 'talk.jsonl'], { folder });
    expect(local).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^([\da-f-]{36}\n){2}$/) });
    const [one = '', two = ''] = local.out.split('\n');
    const read = async (each: string): Promise<Exported> =>
      JSON.parse((await aic(['export', each], { folder })).out) as Exported;
    const [original, json, lines] = await Promise.all([read(id), read(one), read(two)]);
    expect(lasting(json)).toEqual(lasting(original));
    expect(lines.events.slice(1)).toEqual(original.events.slice(1));

    const { url } = await startServer();
    const onServer = { folder, environment: { AIC_SERVER: url } };
    const taken = await aic(['import', 'talk.jsonl', '--json'], onServer);
    expect(JSON.parse(taken.out)).toMatchObject({ status: 'terminated', turns: 2, topic: 'Tea?' });
    const client = createClient({ baseUrl: url });
    const whole: ExportedConversation = {
      events: (await client.log((JSON.parse(taken.out) as { id: string }).id)).items,
    };
    expect(await client.import(whole)).toMatchObject({ turns: 2 });
  });

  it('2 a file that is none, 3 no server, 4 refused or held; nothing is taken in then', async () => {
    const { url } = await startServer({ DATA_DIR: temporaryFolder(), API_KEYS: listed(keyOf('mine', 'me')) });
    const held = temporaryFolder();
    await startServer({ DATA_DIR: held });
    const folder = temporaryFolder();
    const files: Record<string, string> = {
      'good.jsonl': opened.map((event) => JSON.stringify(event)).join('\n'),
      'bad.txt': 'Once upon a time',
      'list.json': '[]',
      'cut.jsonl': `${JSON.stringify(opened[0])}\n{"seq":2,"ty`,
      'gap.jsonl': [opened[0], message(3, 0)].map((event) => JSON.stringify(event)).join('\n'),
      'empty.json': '',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text);
    const refusals: [number, string[], RegExp, Record<string, string>?][] = [
      [2, ['nowhere.json'], /nowhere\.json can't be read/],
      [2, ['good.jsonl', 'bad.txt'], /bad\.txt is no export/],
      [2, ['list.json'], /list\.json is no export/],
      [2, ['cut.jsonl'], /cut\.jsonl is no export of a conversation: line 2/],
      [2, ['gap.jsonl'], /events\.1\.seq: is not 2/],
      [2, ['empty.json'], /empty\.json is no export/],
      [2, [], /missing required argument/],
      [3, ['good.jsonl', '--server', 'http://127.0.0.1:1'], /does not answer/],
      [4, ['good.jsonl', '--server', url], /unauthorized/],
      [4, ['good.jsonl'], /is held by process/, { DATA_DIR: held }],
    ];
    const refuse = async ([code, given, says, environment]: (typeof refusals)[number]): Promise<void> => {
      const run = await aic(['import', ...given], { folder, ...(environment ? { environment } : {}) });
      expect({ given, ...run }).toMatchObject({ given, code, out: '', err: expect.stringMatching(says) });
    };
    await Promise.all(refusals.map(refuse));
    expect((await aic(['list'], { folder })).out).toBe('');
    expect(await aic(['import', 'good.jsonl'], { folder })).toMatchObject({ code: 0 });
  });
});
