import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openPage } from '../fixtures/browser.ts';
import { differenceOf, idOf, talkView, textsShown } from '../fixtures/page.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { startTalk } from '../fixtures/talks.ts';

let embedded: ServerProcess;
let vendor: SteppedVendor;
/** With the vendor, whose calls tell talks apart by their model. */
let stepped: ServerProcess;
const over: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  const whenOver = (cleanup: () => void | Promise<void>): void => void over.push(cleanup);
  vendor = await startSteppedVendor();
  [embedded, stepped] = await Promise.all([
    startServer({ EMBEDDED_TOKEN_DELAY_MS: '20' }, whenOver),
    startServer(vendor.environment, whenOver),
  ]);
});

afterAll(async () => {
  for (const cleanup of over.toReversed()) await cleanup();
  await vendor[Symbol.asyncDispose]();
});

describe('14 the page', () => {
  it('starts a talk from a topic alone, shows each word, and its end', async () => {
    const server = embedded;
    const { page } = await openPage(server.url);
    await page.getByRole('list', { name: 'Conversations' }).waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'More' }).click();
    const form = page.getByRole('form', { name: 'New conversation' });
    await form.getByRole('textbox', { name: 'Topic' }).fill('Is tea better than coffee?');
    await form.getByRole('button', { name: 'Add an agent' }).click();
    await form.getByRole('combobox', { name: 'Who speaks' }).selectOption('Panel: all at once');
    await form.getByRole('textbox', { name: 'Rounds', exact: true }).fill('2');
    await form.getByRole('checkbox', { name: 'Agents don’t see each other’s names' }).check();
    await form.getByRole('textbox', { name: 'Also ends when (JSON)' }).fill('{ "rounds": 9 }');
    await form.getByText('Costs nothing').waitFor();
    const most = form.getByRole('textbox', { name: 'Turns at most' });
    await most.fill('0');
    await form.getByText('A whole number from 1 to 10,000').waitFor();
    expect(await form.getByRole('button', { name: 'Start' }).isDisabled()).toBe(true);
    await most.fill('4');
    await form.getByRole('button', { name: 'Start' }).click();
    await page.waitForURL(/\/c\/[\da-f-]{36}$/);
    await page.getByRole('heading', { name: 'Is tea better than coffee?' }).waitFor();
    const { log, status } = talkView(page);
    await log.getByRole('article', { name: 'Parry' }).first().waitFor();
    await status.getByText(/terminated/i).waitFor();
    await expect.poll(() => differenceOf(page, server.url, idOf(page))).toBeUndefined();
    const { settings } = await createClient({ baseUrl: server.url }).getConversation(idOf(page));
    expect(settings).toMatchObject({
      maxTurns: 4,
      turnPolicy: { type: 'panel', rounds: 2, anonymous: true },
      termination: { when: { rounds: 9 } },
    });
    await page.goto(server.url);
    const list = page.getByRole('list', { name: 'Conversations' });
    await list.getByRole('link', { name: 'Is tea better than coffee? Terminated', exact: true }).click();
    await page.getByRole('heading', { name: 'Is tea better than coffee?' }).waitFor();
  });

  it('has the hands: pause, say, whisper, choose, retract, fork, end', async () => {
    const server = stepped;
    const agents = ['Ada', 'Ben', 'Cleo'].map((name) => ({ provider: 'local', name, model: 'hands' }));
    const { id } = await startTalk(server.url, { agents });
    const { page } = await openPage(`${server.url}/c/${id}`);
    const { log, status, field, button, articles } = talkView(page);
    const first = await vendor.nextCall('hands');
    await first.say('One half');
    const ada = log.getByRole('article', { name: 'Ada' });
    await ada.getByText('One half').waitFor();
    await status.getByText('Ada is speaking').waitFor();

    await button('Pause').click();
    await button('Resume').waitFor();
    await first.say(' and the other.');
    first.finish();
    await ada.getByText('One half and the other.').waitFor();
    await status.getByText('Paused').waitFor();

    await field.fill('What about soup?');
    await button('Send').click();
    await log.getByRole('article', { name: 'Human' }).getByText('What about soup?').waitFor();
    await button('How it is said').click();
    await page.getByRole('checkbox', { name: 'Cleo' }).check();
    await field.fill('For you alone');
    await field.press('Enter');
    await articles.getByText('whispered to Cleo').waitFor();

    await button('Let Cleo be next').click();
    await log.getByText('Cleo speaks next').waitFor();
    await button('Resume').click();
    const second = await vendor.nextCall('hands');
    expect(second.prompt).toContain('What about soup?');
    expect(second.prompt).toContain('For you alone');
    await second.say('Soup is tea.');
    second.finish();
    const cleo = log.getByRole('article', { name: 'Cleo' });
    await cleo.getByText('Soup is tea.').waitFor();
    await cleo.getByRole('button', { name: 'Retract' }).click();
    await cleo.getByText('retracted', { exact: true }).waitFor();
    const { items } = await createClient({ baseUrl: server.url }).messages(id);
    expect(items.map(({ retracted, visibleTo }) => ({ retracted, visibleTo }))).toEqual([
      {},
      {},
      {},
      { visibleTo: ['Cleo'] },
      { retracted: true },
    ]);

    await button('End').click();
    await status.getByText(/terminated/i).waitFor();
    await expect.poll(() => button('Pause').count()).toBe(0);
    await log.getByRole('article', { name: 'Ada' }).getByRole('button', { name: 'Fork from here' }).click();
    await page.waitForURL((url) => url.pathname !== `/c/${id}`);
    await expect.poll(() => textsShown(page)).toContain('One half and the other.');
    expect(await createClient({ baseUrl: server.url }).getConversation(idOf(page))).toMatchObject({
      forkedFrom: { id, seq: 4 },
    });
    await page.goBack();
    await page.waitForURL(`${server.url}/c/${id}`);
    await log.getByText('Soup is tea.').waitFor();
  });

  it('lets a reply through as edited, has figures in tables, finds what was said, and compares', async () => {
    const server = stepped;
    const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name, model: 'approval' }));
    const { id } = await startTalk(server.url, { agents, approval: 'every_turn', maxTurns: 2 });
    const { page } = await openPage(`${server.url}/c/${id}`);
    const { log, status, articles } = talkView(page);
    const first = await vendor.nextCall('approval');
    await first.say('Tea is warm.');
    first.finish();
    const proposal = log.getByRole('group', { name: 'Ada proposes' });
    await proposal.getByText('Tea is warm.').waitFor();
    expect(await articles.count()).toBe(1);
    await proposal.getByRole('button', { name: 'Edit' }).click();
    await proposal.getByRole('textbox', { name: 'The reply' }).fill('Tea is warm, and so is soup.');
    await proposal.getByRole('button', { name: 'Approve as edited' }).click();
    const ada = log.getByRole('article', { name: 'Ada' });
    await ada.getByText('Tea is warm, and so is soup.').waitFor();
    await ada.getByText('edited before it was let through').waitFor();
    const second = await vendor.nextCall('approval');
    await second.say('Coffee is bitter.');
    second.finish();
    await log.getByRole('group', { name: 'Ben proposes' }).getByRole('button', { name: 'Approve' }).click();
    await status.getByText(/terminated/i).waitFor();
    await expect.poll(() => differenceOf(page, server.url, id)).toBeUndefined();

    for (const table of await page.getByRole('table', { name: 'Turns' }).all()) {
      expect(await table.getByRole('rowheader').allTextContents()).toEqual(['1', '2']);
    }
    expect(await page.getByRole('table', { name: 'Turns' }).count()).toBe(3);
    const find = page.getByRole('searchbox', { name: 'Find in this conversation' });
    await find.fill('BITTER');
    await page.getByText('1 of 1').waitFor();

    await page.goto(`${server.url}/?q=bitter`);
    const found = page.getByRole('region', { name: 'Said in talks' }).getByRole('link');
    await found.filter({ hasText: 'Coffee is bitter.' }).click();
    await log.getByText('Coffee is bitter.').waitFor();
    const client = createClient({ baseUrl: server.url });
    const fork = await client.fork(id, { topic: 'The other way', atSeq: 2 });
    await client.terminate(fork.id);
    await page.goto(`${server.url}/compare?ids=${id},${fork.id}`);
    await page
      .getByRole('region', { name: 'Is tea better than coffee?' })
      .getByText('Coffee is bitter.')
      .waitFor();
    await page.getByRole('region', { name: 'The other way' }).getByRole('article').first().waitFor();
  });

  it('is used from start to end by the keyboard alone', async () => {
    const server = embedded;
    const { page } = await openPage(server.url);
    const { log, status, articles } = talkView(page);
    const { keyboard } = page;
    await page.getByRole('textbox', { name: 'Topic' }).waitFor();
    await page.getByRole('radio', { name: 'Free talk' }).waitFor();
    await keyboard.press('n');
    await keyboard.type('Can this be done by keys?');
    await keyboard.press('Enter');
    await page.waitForURL(/\/c\//);
    await articles.nth(1).waitFor();
    await keyboard.press('?');
    await page.getByRole('dialog', { name: 'Shortcuts' }).waitFor();
    await keyboard.press('Escape');
    // What had the focus in it has it until the next frame.
    await expect
      .poll(() => page.evaluate('document.querySelector("dialog") ?? document.activeElement.tagName'))
      .toBe('BODY');
    await keyboard.press('p');
    await status.getByText('Paused').waitFor();
    await keyboard.press('s');
    await keyboard.type('By keys');
    await keyboard.press('Enter');
    await log.getByRole('article', { name: 'Human' }).getByText('By keys').waitFor();
    await keyboard.press('Escape');
    await log.focus();
    await keyboard.press('Tab');
    await expectFocusOn(page, 'Fork from here');
    const before = page.url();
    await keyboard.press('Enter');
    await expect.poll(() => page.url()).not.toBe(before);
    await status.getByText('Running').waitFor();
    for (let step = 0; (await focused(page)) !== 'End'; step++) {
      expect(step).toBeLessThan(40);
      await keyboard.press('Tab');
    }
    await keyboard.press('Enter');
    await status.getByText(/terminated/i).waitFor();
    await keyboard.press('e');
    await expectFocusOn(page, 'Markdown');
    await keyboard.press('ArrowDown');
    await expectFocusOn(page, 'HTML, to print');
    await keyboard.press('Escape');
    await expectFocusOn(page, 'Export');
    await keyboard.press('g');
    await page.getByRole('list', { name: 'Conversations' }).getByRole('link').first().waitFor();
  });

  it('has nothing that keeps somebody out, in any view, light, dark or on a phone', async () => {
    const server = embedded;
    const agents = ['eliza', 'parry'].map((model) => ({ provider: 'embedded', model }));
    const { id } = await startTalk(server.url, {
      topic: 'Is this for everybody?',
      agents,
      scenario: 'debate',
    });
    await expect
      .poll(async () => (await createClient({ baseUrl: server.url }).getConversation(id)).status)
      .toBe('terminated');
    for (const options of [
      { colorScheme: 'light', viewport: { width: 1440, height: 900 } },
      { colorScheme: 'dark', viewport: { width: 1440, height: 900 } },
      { colorScheme: 'light', viewport: { width: 390, height: 844 } },
    ] as const) {
      const { page } = await openPage(server.url, { ...options, reducedMotion: 'reduce' });
      for (const [path, landmark] of [
        ['/', page.getByRole('link', { name: 'Is this for everybody?' })],
        [`/c/${id}`, page.getByRole('article').first()],
        [`/compare?ids=${id}`, page.getByRole('article').first()],
        ['/vendors', page.getByRole('heading', { name: 'embedded' })],
      ] as const) {
        await page.goto(server.url + path);
        await landmark.waitFor();
        if (path === '/') {
          await page.getByRole('button', { name: 'More' }).click();
          await page.getByRole('button', { name: 'Add an agent' }).click();
          await page.getByRole('combobox', { name: 'Who speaks' }).selectOption('debate');
          await page.getByRole('combobox', { name: 'Decision' }).selectOption('judge');
        }
        expect({ path, options, found: await seriousFaults(page) }).toEqual({ path, options, found: [] });
      }
    }
  });
});

function focused(page: Page): Promise<string> {
  return page.evaluate<string>('document.activeElement.textContent');
}

async function expectFocusOn(page: Page, name: string): Promise<void> {
  await expect.poll(() => focused(page)).toBe(name);
}

/** What axe finds that keeps people out, or hinders them much: https://github.com/dequelabs/axe-core */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
