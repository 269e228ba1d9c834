import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openPage } from '../fixtures/browser.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { expectNothingToAct, talkView } from '../fixtures/page.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { startTalk } from '../fixtures/talks.ts';
import { VECTORS } from '../fixtures/vectors.ts';

const KB = 1000;
const BUILT = new URL('../../dist/page/', import.meta.url);

let vendor: SteppedVendor;
let server: ServerProcess;
const over: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  vendor = await startSteppedVendor();
  server = await startServer(vendor.environment, (cleanup) => void over.push(cleanup));
});

afterAll(async () => {
  for (const cleanup of over.toReversed()) await cleanup();
  await vendor[Symbol.asyncDispose]();
});

describe('14 the page is safe', () => {
  it('8.7: nothing that is a topic, a name, a reply or a scenario acts', async () => {
    expect(VECTORS.length).toBeGreaterThanOrEqual(60);
    const client = createClient({ baseUrl: server.url });
    // A list with every vector as a topic, and its agents named by the short ones.
    const names = VECTORS.filter((vector) => [...vector].length <= 64);
    const made = VECTORS.map(async (topic, index) => {
      const agents = [0, 1].map((step) => ({
        provider: 'embedded',
        name: names[(index * 2 + step) % names.length] ?? `Agent ${step}`,
      }));
      await client.createConversation({ topic, agents, maxTurns: 2 });
      const scenario = { title: topic.slice(0, 200), description: topic, settings: { maxTurns: 2 } };
      await client.putScenario(`vector-${index}`, scenario);
    });
    await Promise.all(made);
    const { page } = await openPage(server.url);
    const list = page.getByRole('list', { name: 'Conversations' });
    await expect.poll(() => list.getByRole('link').count()).toBeGreaterThanOrEqual(50);
    const scenarios = page.getByRole('radio');
    await scenarios.nth(VECTORS.length).waitFor({ state: 'attached' });
    // Each shows its description.
    await page.evaluate(`(async () => {
      for (const radio of document.querySelectorAll('input[type=radio]')) {
        radio.click();
        await new Promise(requestAnimationFrame);
      }
    })()`);
    await expectNothingToAct(page);

    const agents = [
      { provider: 'local', name: names[0] ?? '' },
      { provider: 'local', name: names[1] ?? '' },
    ];
    const { id } = await startTalk(server.url, { topic: VECTORS[0] ?? '', agents, maxTurns: 2 });
    await page.goto(`${server.url}/c/${id}`);
    const { articles, status } = talkView(page);
    const streamed = await vendor.nextCall();
    for (const vector of VECTORS) await streamed.say(`${vector}\n\n`);
    await articles.getByText(VECTORS.at(-1) ?? '').waitFor();
    streamed.finish();
    const inOne = await vendor.nextCall();
    await inOne.say(
      VECTORS.map((vector) => `> ${vector}\n\n- ${vector}\n\n\`\`\`html\n${vector}\n\`\`\`\n\n`).join(''),
    );
    inOne.finish();
    await status.getByText(/terminated/i).waitFor();
    await expectNothingToAct(page);
    await page.goto(`${server.url}/compare?ids=${id}`);
    await page.getByRole('article').nth(2).waitFor();
    await expectNothingToAct(page);
    for (const vector of VECTORS.slice(0, 10)) {
      await page.goto(`${server.url}/compare?ids=${encodeURIComponent(vector)}`);
      await page.goto(`${server.url}/c/${encodeURIComponent(vector)}`);
    }
    await expectNothingToAct(page);
  });

  it('8.3: asks for a key where the server wants one, and keeps it for the tab alone', async () => {
    const key = keyOf('default', 'reader');
    const server = await startServer({ API_KEYS: listed(key), EMBEDDED_TOKEN_DELAY_MS: '20' });
    const refused = /status of 401|WebSocket connection/;
    const { page } = await openPage(server.url, { expected: refused });
    const dialog = page.getByRole('dialog', { name: 'API key' });
    await dialog.getByLabel('Key', { exact: true }).fill('aic_of_nobody');
    await dialog.getByRole('button', { name: 'Use key' }).click();
    await dialog.getByText('does not take this key').waitFor();
    await dialog.getByLabel('Key', { exact: true }).fill(key.key);
    await dialog.getByRole('button', { name: 'Use key' }).click();
    await expect.poll(() => dialog.count()).toBe(0);
    await page.getByRole('textbox', { name: 'Topic' }).fill('Who may see this?');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.waitForURL(/\/c\//);
    await talkView(page).log.getByRole('article', { name: 'Eliza' }).first().waitFor();
    await page.reload();
    await talkView(page).log.getByRole('article', { name: 'Eliza' }).first().waitFor();
    await talkView(page).button('End').click();
    await talkView(page)
      .status.getByText(/terminated/i)
      .waitFor();
    expect(
      await page.evaluate<string>('JSON.stringify(localStorage) + document.cookie + location.href'),
    ).not.toContain(key.key);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole('dialog', { name: 'API key' }).waitFor();
  });

  it('asks for at most 60 kB of script to begin with, and 100 kB in all', async () => {
    await openPage(server.url);
    const sizeOf = (file: string): number => gzipSync(readFileSync(new URL(file, BUILT))).length;
    const html = readFileSync(new URL('index.html', BUILT), 'utf8');
    // The script itself, and what it can't begin without.
    const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, file = '']) => file);
    const all = readdirSync(new URL('assets/', BUILT)).filter((file) => file.endsWith('.js'));
    expect(first).not.toEqual([]);
    expect(first.reduce((sum, file) => sum + sizeOf(file), 0)).toBeLessThanOrEqual(60 * KB);
    expect(all.reduce((sum, file) => sum + sizeOf(`assets/${file}`), 0)).toBeLessThanOrEqual(100 * KB);
  });

  it('8.9: its files are kept for ever, its document is asked for again, and both say what they may', async () => {
    const { url } = server;
    const document = await fetch(url);
    const policy = document.headers.get('content-security-policy') ?? '';
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
    ]) {
      expect(policy.split('; ')).toContain(directive);
    }
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    const html = await document.text();
    expect(html).not.toMatch(/<style|<script(?![^>]* src=)|\son\w+=|https?:\/\//);
    const etag = document.headers.get('etag') ?? '';
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const [, script = ''] = /src="([^"]+\.js)"/.exec(html) ?? [];
    const file = await fetch(url + script, { headers: { 'accept-encoding': 'br' } });
    expect(Object.fromEntries(file.headers)).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-encoding': 'br',
      'content-type': 'text/javascript; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
  });
});
