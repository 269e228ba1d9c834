import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentSummary, DocumentWithText, PassageList } from '../../src/protocol/knowledge.ts';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import type { Hostile } from '../fixtures/knowledge/hostile.ts';
import { hostilePdfs, hostileWord } from '../fixtures/knowledge/hostile-files.ts';
import {
  hostilePages,
  hostileRequests,
  hostileTables,
  hostileTexts,
  INJECTION,
} from '../fixtures/knowledge/hostile-texts.ts';
import { scriptedVendor } from '../fixtures/knowledge/vendor.ts';
import { addressOf } from '../fixtures/scripted-server.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';

const PAPERS = '/knowledge/papers/documents';

// What must never be asked, whatever a document refers to.
const asked: string[] = [];
const elsewhere = createServer((request, response) => {
  asked.push(request.url ?? '');
  response.end('ELSEWHERE');
});
elsewhere.listen(0, '127.0.0.1');
await once(elsewhere, 'listening');
const ELSEWHERE = `${addressOf(elsewhere)}/secret`;

let server: ServerProcess;
beforeAll(async () => {
  server = await startServer({}, afterAll);
});
afterAll(() => elsewhere.close());

// oxlint-disable-next-line no-control-regex -- they are what must not be there
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/** What became of it: its title and text, which are gone again, or what the refusal says. */
async function outcomeOf(
  { sent }: Hostile,
  documents: string,
): Promise<{ status: number; says: string; title?: string }> {
  const { url } = server;
  const { status, body } = await call(url, documents, sent);
  if (status !== 201) return { status, says: (body as { detail: string }).detail };
  const { id } = body as DocumentSummary;
  const { text, title } = (await call(url, `${documents}/${id}`)).body as DocumentWithText;
  await call(url, `${documents}/${id}`, { method: 'DELETE' });
  return { status, says: text, title };
}

describe.each([
  ['pdf', hostilePdfs(ELSEWHERE)],
  ['docx', hostileWord(ELSEWHERE)],
  ['html', hostilePages(ELSEWHERE)],
  ['csv', hostileTables()],
  ['text', hostileTexts()],
  ['requests', hostileRequests()],
])('11.1: hostile documents, %s', (kind, cases) => {
  it.each(cases.map((hostile, index) => ({ ...hostile, index })))('$name: $status', async (hostile) => {
    const documents = `/knowledge/${kind}-${hostile.index}/documents`;
    const { status, says, title } = await outcomeOf(hostile, documents);
    expect([status, says.slice(0, 300)]).toEqual([hostile.status, expect.anything()]);
    expect(says).toMatch(hostile.says);
    expect(says).not.toMatch(/alert\(|ELSEWHERE|root:/);
    expect([UNSEEN.test(says), says.isWellFormed()]).toEqual([false, true]);
    expect(hostile.title ?? title).toBe(title);
    // Nothing is left behind, and it goes on.
    const { url } = server;
    expect([(await call(url, '/livez')).status, (await call(url, documents)).status]).toEqual([200, 404]);
  });
});

it('11.1: refusals of hostile documents are one line each', async () => {
  const refusals = [...hostilePdfs(ELSEWHERE), ...hostileWord(ELSEWHERE)].filter(
    ({ name, status }) => status === 400 && /entity|password|end|noise/.test(name),
  );
  const said = await Promise.all(refusals.map((hostile) => outcomeOf(hostile, PAPERS)));
  expect(said.length).toBeGreaterThan(5);
  for (const { says } of said) expect(says).toMatch(/^[^\n]{5,400}$/);
});

it('11.1: after all of them the server is the same process, which has said nothing and asked nobody', async () => {
  expect([server.process.exitCode, server.errors(), asked]).toEqual([null, '', []]);
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
});

it('11.3: a document that gives orders stays within its quotation', async () => {
  const vendor = await scriptedVendor(['It runs [1].']);
  const { url } = await startServer({ ...vendor.environment, GUARD_INJECTION: 'off' });
  await call(url, PAPERS, { body: { title: 'Trams', text: INJECTION } });
  const found = (await call(url, '/knowledge/papers/search?q=trams')).body as PassageList;
  expect(found.items).toHaveLength(1);
  const agents = [{ provider: 'local', knowledge: [{ collection: 'papers' }] }, { provider: 'embedded' }];
  const { made } = await create(url, { topic: 'Trams?', agents, maxTurns: 1 });
  await ended(url, made.id);
  const [prompt] = vendor.prompts;
  expect(prompt?.system).not.toContain('BANANA');
  const said = prompt?.last
    .split(/[\n\r\u2028\u2029]/)
    .filter((line) => /BANANA|Ignore all|\[2\]/.test(line));
  expect(said).toHaveLength(4);
  for (const line of said ?? []) expect(line).toMatch(/^> /);
});
