/** What the page costs a reader, measured in Debian's Chromium: `npm run bench:page` prints it. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { createClient } from '../src/client/client.ts';
import { mainThreadOf, TRACED } from './harness/main-thread.ts';
import { startServer } from './harness/processes.ts';
import { median } from './harness/statistics.ts';

const REPLY_CHARACTERS = 13_400;
const PIECE_CHARACTERS = 12;
const PIECE_EVERY_MS = 4;
const TURNS = 2000;
const ENDLESS = { phrases: [], similarity: { threshold: 1, consecutive: 10 } };

await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'aic-page-'));
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const vendor = createServer((_request, response) => void speak(response));
vendor.listen(0, '127.0.0.1');
await once(vendor, 'listening');
cleanup.defer(() => void vendor.close());
const address = vendor.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;
const server = await startServer(cleanup, folder, {
  LOCAL_BASE_URL: `http://127.0.0.1:${port}/v1`,
  LOCAL_MODEL: 'long-winded',
  EMBEDDED_TOKEN_DELAY_MS: '0',
});
const client = createClient({ baseUrl: server.url });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
cleanup.defer(() => browser.close());

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}`,
);
await measureFirstView(browser);
await measureReplies(browser);
if (!process.argv.includes('--short')) await measureLongTalk(browser);

function tell(what: string, value: string, wanted: string): void {
  console.log(`${what}: ${value} (wanted: ${wanted})`);
}

/** From the address to the form that can be typed into, with nothing cached. */
async function measureFirstView(browser: Browser): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < 6; index++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const startedAt = performance.now();
    await page.goto(server.url, { waitUntil: 'commit' });
    await page.getByRole('textbox', { name: 'Topic' }).waitFor();
    times.push(performance.now() - startedAt);
    await context.close();
  }
  // The first one has the server read the page's files.
  tell('first view, median of 5', `${median(times.slice(1)).toFixed(0)} ms`, 'under 1000 ms');
}

async function measureReplies(browser: Browser): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < 5; index++) times.push(await measureReply(browser));
  tell(
    `a reply of ${REPLY_CHARACTERS} characters, all of the main thread, median of 5`,
    `${median(times).toFixed(0)} ms`,
    '150 ms at most',
  );
  let parts = '';
  await measureReply(browser, (trace) => {
    parts = Object.entries(mainThreadOf(trace))
      .map(([part, ms]) => `${part} ${ms.toFixed(0)} ms`)
      .join(', ');
  });
  tell('one more by parts, which takes longer for being traced', parts, 'noted');
}

/**
 * A reply in small pieces, while it is watched: the processor's time of the main thread, layout and painting among it.
 *
 * @param traced given a trace of it
 * @returns milliseconds
 */
async function measureReply(browser: Browser, traced?: (trace: Buffer) => void): Promise<number> {
  const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name, maxOutputTokens: 32_000 }));
  const { id } = await client.createConversation({
    topic: 'Speak long',
    agents,
    maxTurns: 2,
    turnDelayMs: 3000,
  });
  const { page, session } = await open(browser, `/c/${id}`);
  const article = page.getByRole('log').getByRole('article', { name: 'Ada' });
  await article.waitFor();
  if (traced) await browser.startTracing(page, { categories: TRACED });
  const before = await metricsOf(session);
  // The server is asked, for looking at the page costs the page.
  while ((await client.messages(id)).items.length < 2) await delay(100);
  await delay(500);
  const after = await metricsOf(session);
  traced?.(await browser.stopTracing());
  await page.getByRole('log').getByText('The last word.').waitFor();
  await page.context().close();
  return ((after['ThreadTime'] ?? 0) - (before['ThreadTime'] ?? 0)) * 1000;
}

async function measureLongTalk(browser: Browser): Promise<void> {
  const { id } = await client.createConversation({
    topic: 'Talk long',
    agents: [{ provider: 'embedded' }, { provider: 'embedded' }],
    maxTurns: TURNS,
    termination: ENDLESS,
  });
  while ((await client.getConversation(id)).status !== 'terminated') await delay(200);
  const startedAt = performance.now();
  const { page } = await open(browser, `/c/${id}`);
  await page.getByText('The end', { exact: true }).waitFor({ timeout: 120_000 });
  tell(`a talk of ${TURNS} turns, to its end`, `${(performance.now() - startedAt).toFixed(0)} ms`, 'noted');
  const nodes = await page.evaluate<number>(`document.querySelectorAll('[role=log] *').length`);
  tell('its nodes in the log', String(nodes), '1500 at most');
  const frames = await page.evaluate<number>(`new Promise((resolve) => {
    const log = document.querySelector('[role=log]');
    let frames = 0;
    const startedAt = performance.now();
    const step = () => {
      frames++;
      log.scrollTop -= 60;
      const seconds = (performance.now() - startedAt) / 1000;
      if (seconds < 3) requestAnimationFrame(step); else resolve(frames / seconds);
    };
    requestAnimationFrame(step);
  })`);
  tell('frames a second while it is scrolled', frames.toFixed(0), 'near 60');
  const mark = `(() => document.querySelector('[role=log]').scrollTop)()`;
  const place = await page.evaluate<number>(mark);
  await delay(1500);
  const moved = (await page.evaluate<number>(mark)) - place;
  tell('how far it moves by itself when scrolled up', `${Math.abs(moved).toFixed(0)} px`, '0 px');
  const { items } = await client.messages(id, { limit: 5 });
  const sought = items[3]?.content.slice(0, 60) ?? '';
  const soughtAt = performance.now();
  await page.getByRole('searchbox', { name: 'Find in this conversation' }).fill(sought);
  await page.getByRole('log').getByText(sought).first().waitFor();
  tell('finding what was said at its beginning', `${(performance.now() - soughtAt).toFixed(0)} ms`, 'noted');
  await page.context().close();
}

async function open(browser: Browser, path: string): Promise<{ page: Page; session: CDPSession }> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  await page.goto(server.url + path);
  return { page, session };
}

async function metricsOf(session: CDPSession): Promise<Record<string, number>> {
  const { metrics } = await session.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

/** Paragraphs, lists and code, as models write them. */
function longReply(): string {
  const part =
    '## A point\n\nThis is a paragraph of some **weight**, with `code` in it and [a link](https://example.org), as ' +
    'models write them when they are asked to explain something at length.\n\n- first this\n- then that\n- and more\n\n' +
    '```ts\nexport function twice(value: number): number {\n  return value * 2;\n}\n```\n\n';
  const end = 'The last word.';
  return (
    part.repeat(Math.ceil(REPLY_CHARACTERS / part.length)).slice(0, REPLY_CHARACTERS - end.length - 2) +
    `\n\n${end}`
  );
}

async function speak(response: import('node:http').ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const reply = longReply();
  const say = (delta: object, finish: string | null): void => {
    const choice = { index: 0, delta, finish_reason: finish };
    response.write(
      `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices: [choice] })}\n\n`,
    );
  };
  for (let from = 0; from < reply.length; from += PIECE_CHARACTERS) {
    say({ content: reply.slice(from, from + PIECE_CHARACTERS) }, null);
    await delay(PIECE_EVERY_MS);
  }
  say({}, 'stop');
  response.end('data: [DONE]\n\n');
}
