import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openPage } from '../fixtures/browser.ts';
import { talkView } from '../fixtures/page.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { startTalk } from '../fixtures/talks.ts';

let server: ServerProcess;
let vendor: SteppedVendor;
const over: (() => void | Promise<void>)[] = [];

// One server for all, since each has talks and a model of its own.
beforeAll(async () => {
  vendor = await startSteppedVendor();
  const settings = JSON.stringify({ local: { price: { input: 1000, output: 2000 } } });
  const environment = { ...vendor.environment, MODEL_SETTINGS: settings, CIRCUIT_FAILURES: '1' };
  server = await startServer(environment, (cleanup) => void over.push(cleanup));
});

afterAll(async () => {
  for (const cleanup of over.toReversed()) await cleanup();
  await vendor[Symbol.asyncDispose]();
});

const embedded = ['eliza', 'parry'].map((model) => ({ provider: 'embedded', model }));
const pair = (model: string) => ['Ada', 'Ben'].map((name) => ({ provider: 'local', name, model }));

async function answer(model: string, text: string): Promise<void> {
  const call = await vendor.nextCall(model);
  await call.say(text);
  call.finish();
}

describe('14 the views of the page', () => {
  it('list: live status, filters, search, and more as one scrolls', async () => {
    const begun = Array.from({ length: 70 }, (_, index) =>
      startTalk(server.url, { topic: `Talk number ${index}`, agents: embedded, maxTurns: 1 }),
    );
    await Promise.all(begun);
    const { id } = await startTalk(server.url, { topic: 'Alive', agents: pair('alive'), maxTurns: 1 });
    const { page } = await openPage(server.url);
    const list = page.getByRole('list', { name: 'Conversations' });
    const links = list.getByRole('link');
    await list.getByRole('link', { name: 'Alive Running', exact: true }).waitFor();
    expect(await links.count()).toBe(50);
    await links.last().scrollIntoViewIfNeeded();
    await expect.poll(() => links.count()).toBe(71);
    await list.getByRole('link', { name: 'Talk number 0 Terminated', exact: true }).waitFor();

    await page.getByRole('combobox', { name: 'Status' }).selectOption('Running');
    await expect.poll(() => links.count()).toBe(1);
    await page.getByRole('combobox', { name: 'Status' }).selectOption('Status: Any');
    await page.getByRole('combobox', { name: 'Provider' }).selectOption('embedded');
    await expect.poll(() => list.getByText('Alive').count()).toBe(0);
    await page.getByRole('combobox', { name: 'Provider' }).selectOption('Provider: Any');
    await page.getByRole('searchbox', { name: 'Search' }).fill('alive');
    await expect.poll(() => links.count()).toBe(1);
    await answer('alive', 'Said.');
    await list.getByRole('link', { name: 'Alive Terminated', exact: true }).waitFor();
    await page.getByRole('searchbox', { name: 'Search' }).fill('Nobody spoke of it');
    await page.getByText('No talk matches.').waitFor();
    await page.reload();
    await page.getByText('No talk matches.').waitFor();
    expect((await createClient({ baseUrl: server.url }).getConversation(id)).status).toBe('terminated');
  });

  it('a new talk: from a scenario, with agents of one’s own, and what the server has against it', async () => {
    const { page } = await openPage(server.url, { expected: /status of 400/ });
    const form = page.getByRole('form', { name: 'New conversation' });
    await form.getByRole('radio', { name: 'Interview' }).check();
    await form.getByRole('textbox', { name: 'Topic' }).fill('What do trams dream of?');
    await form.getByRole('button', { name: 'More' }).click();
    await form.getByRole('button', { name: 'Add an agent' }).click();
    const [first, second] = ['Agent 1', 'Agent 2'].map((name) => form.getByRole('group', { name }));
    await first?.getByRole('combobox', { name: 'Provider' }).selectOption('embedded');
    await first?.getByRole('combobox', { name: 'Model' }).fill('of nobody');
    await first?.getByRole('textbox', { name: 'Name' }).fill('Eva');
    await first?.getByRole('textbox', { name: 'Persona' }).fill('You ask.');
    await second?.getByRole('combobox', { name: 'Provider' }).selectOption('embedded');
    await second?.getByRole('textbox', { name: 'Name' }).fill('Eva');
    expect(await form.getByText('Two agents with this name').count()).toBe(2);
    await second?.getByRole('textbox', { name: 'Name' }).fill('Tram');
    await form.getByRole('button', { name: 'Start' }).click();
    await first?.locator('.fault').waitFor();
    await first?.getByRole('combobox', { name: 'Model' }).fill('eliza');
    await form.getByRole('button', { name: 'Start' }).click();
    await page.waitForURL(/\/c\//);
    await page.getByRole('log').getByRole('article', { name: 'Eva' }).first().waitFor();
    const id = new URL(page.url()).pathname.slice('/c/'.length);
    const { settings } = await createClient({ baseUrl: server.url }).getConversation(id);
    expect(settings).toMatchObject({
      scenario: 'interview',
      agents: [{ name: 'Eva', instructions: 'You ask.' }, { name: 'Tram' }],
    });
  });

  it('the talk: figures while one speaks, and what is heard is heard once, when it is whole', async () => {
    const agents = pair('figures');
    const { id } = await startTalk(server.url, { agents, maxTurns: 2 });
    const { page } = await openPage(`${server.url}/c/${id}`);
    const { log, status } = talkView(page);
    const heard = page.locator('.for-ears[aria-live=polite]');
    const call = await vendor.nextCall('figures');
    await status.getByText('Ada is speaking').waitFor();
    await status.getByText('Ben is next').waitFor();
    await call.say('**اللغة العربية** ثم ');
    const ada = log.getByRole('article', { name: 'Ada' });
    await ada.getByText(/first word after .* · ≈ \d+ tokens/).waitFor();
    expect(await heard.textContent()).toBe('');
    const paragraph = ada.locator('.body p').first();
    expect(await paragraph.evaluate((element) => element.matches(':dir(rtl)'))).toBe(true);
    // Kept, since it is cleared a moment later.
    await page.evaluate(`(() => {
      window.heard = [];
      const element = document.querySelector('.for-ears[aria-live=polite]');
      new MutationObserver(() => window.heard.push(element.textContent)).observe(element, { childList: true, characterData: true, subtree: true });
    })()`);
    await call.say('English.');
    call.finish();
    await ada.getByText(/17 tokens · \$0\.022/).waitFor();
    const whole = 'Ada: **اللغة العربية** ثم English.';
    await expect.poll(() => page.evaluate('window.heard.filter((words) => words !== "")')).toEqual([whole]);
    expect(await page.evaluate('document.documentElement.matches(":dir(ltr)")')).toBe(true);
    await createClient({ baseUrl: server.url }).terminate(id);
    await status.getByText('Terminated: somebody ended it').waitFor();
  });

  it('9.4, 9.5: ballots, votes, verdicts, choices, nudges and pauses as cards', async () => {
    const ballots = await startTalk(server.url, {
      agents: pair('voters'),
      turnPolicy: { type: 'panel' },
      decision: { type: 'vote', method: 'plurality', options: ['Tea', 'Soup'] },
    });
    const { page } = await openPage(`${server.url}/c/${ballots.id}`);
    const { log, status } = talkView(page);
    for (let turn = 0; turn < 2; turn++) await answer('voters', 'It is warm.');
    await answer('voters', '{ "choice": "Soup", "why": "It has salt." }');
    await answer('voters', '{ "choice": "Soup", "why": "It is warm." }');
    await log.getByRole('note', { name: 'Ada votes' }).getByText('Soup').waitFor();
    await log.getByRole('note', { name: 'The vote is closed' }).getByText('Soup wins').waitFor();
    await log.getByRole('note', { name: 'The end' }).getByText('it came to its end').waitFor();

    const judge = { provider: 'local', model: 'judge' };
    const rubric = [{ name: 'Wit', description: 'Is it funny?' }];
    const judged = await startTalk(server.url, {
      agents: pair('judged'),
      turnPolicy: { type: 'moderator', moderator: { provider: 'local', model: 'chair' } },
      decision: { type: 'judge', judge, rubric, bothOrders: false },
      maxTurns: 2,
    });
    await page.goto(`${server.url}/c/${judged.id}`);
    await answer('chair', '{ "agent": "Ben" }');
    await log.getByText('Ben speaks next').waitFor();
    await log.getByText('chosen by the moderator').waitFor();
    await answer('judged', 'A joke.');
    await createClient({ baseUrl: server.url }).pause(judged.id, { detail: 'for soup' });
    await log.getByText('for soup').waitFor();
    await createClient({ baseUrl: server.url }).resume(judged.id);
    await log.getByText('Resumed').waitFor();
    await answer('chair', '{ "agent": "Ada" }');
    await answer('judged', 'None.');
    const scores = [1, 2].map((number) => ({
      agent: `Participant ${number}`,
      criterion: 'Wit',
      score: 11 - number * 3,
      why: 'So it is.',
    }));
    await answer('judge', JSON.stringify({ scores, summary: 'A fine talk.' }));
    const verdict = log.getByRole('note', { name: 'The verdict' });
    await verdict.getByText('A fine talk.').waitFor();
    await verdict.getByText(/wins/).waitFor();

    const similarity = { threshold: 0.5, consecutive: 1, nudge: true };
    const nudged = await startTalk(server.url, {
      agents: pair('loops'),
      maxTurns: 4,
      termination: { phrases: [], similarity },
    });
    await page.goto(`${server.url}/c/${nudged.id}`);
    for (let turn = 0; turn < 3; turn++)
      await answer('loops', 'The very same words again and again and again.');
    await log.getByRole('note', { name: 'The moderator steps in' }).waitFor();
    await createClient({ baseUrl: server.url }).terminate(nudged.id);
    await expect.poll(() => status.textContent()).toMatch(/^Terminated/);
  });

  it('compare: six columns, alive, aligned by turn, and never a seventh', async () => {
    const client = createClient({ baseUrl: server.url });
    const ids: string[] = [];
    for (let index = 0; index < 6; index++) {
      const { id } = await startTalk(server.url, { topic: `Column ${index}`, agents: embedded, maxTurns: 2 });
      ids.push(id);
    }
    const alive = await startTalk(server.url, { topic: 'Column alive', agents: pair('column'), maxTurns: 1 });
    ids.splice(5, 0, alive.id);
    const { page } = await openPage(`${server.url}/compare?ids=${ids.join(',')}`);
    await page.getByText('Only the first six are shown.').waitFor();
    const region = (topic: string) => page.getByRole('region', { name: topic, exact: true });
    await region('Column alive').waitFor();
    expect(await page.getByRole('region', { name: /^Column/ }).count()).toBe(6);
    const call = await vendor.nextCall('column');
    await call.say('It grows ');
    await region('Column alive').getByText('It grows').waitFor();
    const turnIn = (topic: string) =>
      region(topic).getByRole('group', { name: 'Turn 1', exact: true }).boundingBox();
    await expect.poll(async () => (await turnIn('Column 0'))?.y).toBe((await turnIn('Column alive'))?.y);
    await call.say('here.');
    call.finish();
    await region('Column alive').getByText('Terminated').waitFor();
    await region('Column 0').getByRole('link', { name: 'Take out: Column 0' }).click();
    await expect.poll(() => page.getByRole('region', { name: /^Column/ }).count()).toBe(5);
    expect((await client.getConversation(alive.id)).status).toBe('terminated');
  });

  it('providers: who is ready, who needs a key, and whose circuit is open', async () => {
    const { id } = await startTalk(server.url, { agents: pair('broken'), maxTurns: 2 });
    (await vendor.nextCall('broken')).fail(500);
    const client = createClient({ baseUrl: server.url });
    await expect.poll(async () => (await client.getConversation(id)).status).toBe('terminated');
    const { page } = await openPage(`${server.url}/vendors`);
    const item = (name: string) =>
      page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });
    await item('local').getByText('left alone for a while').waitFor();
    await item('embedded').getByText('answers').waitFor();
    await item('claude').getByText('needs a key').waitFor();
    await page.goto(`${server.url}/c/${id}`);
    await expect.poll(() => talkView(page).status.textContent()).toMatch(/^Terminated: a provider/);
  });

  it('8.5: says in words that it is asked too much, that it is busy, and that a talk is not there', async () => {
    const { page } = await openPage(server.url, { expected: /status of (429|503|404)/ });
    const form = page.getByRole('form', { name: 'New conversation' });
    await form.getByRole('textbox', { name: 'Topic' }).fill('Too much');
    for (const [status, words] of [
      [429, 'Too many requests. Try again in 7 s.'],
      [503, 'The server is busy. Try again in 7 s.'],
    ] as const) {
      await refuse(page, status);
      await form.getByRole('button', { name: 'Start' }).click();
      await page.getByText(words).waitFor();
    }
    await page.goto(`${server.url}/c/00000000-0000-7000-8000-000000000000`);
    await expect.poll(() => talkView(page).status.textContent()).toBe('There is no such talk.');
  });
});

/** Has the next request for a new talk refused. */
async function refuse(page: Page, status: 429 | 503): Promise<void> {
  const code = status === 429 ? 'rate_limited' : 'overloaded';
  const problem = { type: 'about:blank', title: 'No', status, detail: 'No', code };
  await page.route(
    '**/conversations',
    (route) =>
      route.fulfill({
        status,
        headers: { 'content-type': 'application/problem+json', 'retry-after': '7' },
        body: JSON.stringify(problem),
      }),
    { times: 1 },
  );
}
