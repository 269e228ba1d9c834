import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openPage } from '../fixtures/browser.ts';
import { startCable } from '../fixtures/cut.ts';
import { differenceOf, talkView } from '../fixtures/page.ts';
import { freePort } from '../fixtures/ports.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { startTalk } from '../fixtures/talks.ts';

/** What a browser says of a connection that is gone. */
const LOST = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_SOCKET|WebSocket connection|ERR_INTERNET_DISCONNECTED/;

describe('14 the page loses and doubles nothing', () => {
  it('when it is reloaded inside a turn, and the server is killed and started again', async () => {
    await using vendor = await startSteppedVendor();
    const environment = {
      ...vendor.environment,
      DATA_DIR: temporaryFolder(),
      PORT: String(await freePort()),
      RETRY_TRIES: '3',
    };
    const before = await startServer(environment);
    const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name }));
    const { id } = await startTalk(before.url, { agents, maxTurns: 3 });
    const { page } = await openPage(`${before.url}/c/${id}`, { expected: LOST });
    const { log, status } = talkView(page);
    const first = await vendor.nextCall();
    await first.say('The first half, ');
    await log.getByText('The first half,').waitFor();
    await page.reload();
    await log.getByText('The first half,').waitFor();
    await first.say('and the second.');
    first.finish();
    await log.getByText('The first half, and the second.').waitFor();

    const second = await vendor.nextCall();
    await second.say('What nobody keeps');
    await log.getByText('What nobody keeps').waitFor();
    await before.stop('SIGKILL');
    await status.getByText('Reconnecting').waitFor();
    const after = await startServer(environment);
    for (const text of ['What is kept.', 'And the end.']) {
      const call = await vendor.nextCall();
      await call.say(text);
      call.finish();
    }
    await status.getByText(/terminated/i).waitFor();
    await expect.poll(() => differenceOf(page, after.url, id)).toBeUndefined();
    expect(await log.getByText('What nobody keeps').count()).toBe(0);
  });

  it('when its connection is cut, or goes silent, and comes back', async () => {
    await using vendor = await startSteppedVendor();
    const server = await startServer(vendor.environment);
    await using cable = await startCable(server.port);
    const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name }));
    const { id } = await startTalk(server.url, { agents, maxTurns: 2 });
    const { page } = await openPage(`${cable.url}/c/${id}`, { expected: LOST });
    const { log, status } = talkView(page);
    const first = await vendor.nextCall();
    await first.say('Before it. ');
    await log.getByText('Before it.').waitFor();
    cable.cut();
    await status.getByText('Reconnecting').waitFor();
    await first.say('Meanwhile. ');
    cable.mend();
    await log.getByText('Before it. Meanwhile.').waitFor();
    await status.getByText('Ada is speaking').waitFor();
    await page.context().setOffline(true);
    await status.getByText('Reconnecting').waitFor();
    await first.say('After it.');
    first.finish();
    await page.context().setOffline(false);
    await log.getByText('Before it. Meanwhile. After it.').waitFor();
    const second = await vendor.nextCall();
    await second.say('Done.');
    second.finish();
    await status.getByText(/terminated/i).waitFor();
    await expect.poll(() => differenceOf(page, server.url, id)).toBeUndefined();
  });

  it('in a second tab, behind a reload further up, and with the browser’s own way back', async () => {
    const server = await startServer();
    const { id, topic } = await startTalk(server.url, { maxTurns: 40 });
    const client = createClient({ baseUrl: server.url });
    await expect.poll(async () => (await client.getConversation(id)).status).toBe('terminated');
    const { page } = await openPage(`${server.url}/c/${id}`, { viewport: { width: 900, height: 600 } });
    const { log, articles } = talkView(page);
    await articles.nth(40).waitFor();
    await expect.poll(() => articles.nth(40).isVisible()).toBe(true);
    await log.hover();
    await page.mouse.wheel(0, -2500);
    const inView = (): Promise<unknown> =>
      page.evaluate(`(() => {
        const top = document.querySelector('[role=log]').getBoundingClientRect().top;
        const first = [...document.querySelectorAll('article')].find((article) => article.getBoundingClientRect().bottom > top);
        return { seq: first.dataset.seq, from: Math.round(first.getBoundingClientRect().top / 8) };
      })()`);
    await page.getByRole('button', { name: 'To the newest' }).waitFor();
    await expect.poll(async () => JSON.stringify(await inView())).not.toContain('"42"');
    const there = await settled(inView);
    await page.reload();
    await expect.poll(inView).toEqual(there);
    const second = await page.context().newPage();
    await second.goto(`${server.url}/c/${id}`);
    await expect.poll(() => differenceOf(second, server.url, id)).toBeUndefined();
    await page.getByRole('link', { name: 'Talks', exact: true }).click();
    await page.getByRole('link', { name: topic }).click();
    await expect.poll(inView).toEqual(there);
    await page.goBack();
    await page.getByRole('form', { name: 'New conversation' }).waitFor();
    await page.goForward();
    await expect.poll(inView).toEqual(there);
  });
});

/** A value that was the same twice. */
async function settled(look: () => Promise<unknown>): Promise<unknown> {
  let last = await look();
  await expect
    .poll(async () => {
      const before = JSON.stringify(last);
      last = await look();
      return before === JSON.stringify(last);
    })
    .toBe(true);
  return last;
}
