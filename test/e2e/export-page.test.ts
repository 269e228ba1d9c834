import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newRecord, toEntry } from '../../src/conversation/log/log.ts';
import { exportAs } from '../../src/export/formats.ts';
import { conversation, reply } from '../fixtures/conversations.ts';
import { findProgram } from '../fixtures/programs.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { XSS_VECTORS } from '../fixtures/xss.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: findProgram('chromium') ?? 'chromium',
    args: ['--no-sandbox'],
  });
});
afterAll(() => browser.close());

it('2.9: nothing that an agent says acts in the page that is kept', async () => {
  expect(XSS_VECTORS.length).toBeGreaterThanOrEqual(60);
  const made = conversation();
  const said = XSS_VECTORS.map((content, index) =>
    reply(index + 3, { content, sender: content.slice(0, 64) }),
  );
  async function* pages() {
    yield [...made.events, ...said].map(toEntry);
  }
  const settings = { ...made.settings, topic: '</title><script>alert(1)</script>' };
  const record = newRecord({ ...made, settings });
  const { text } = await exportAs('html', { record, view: {}, pages: pages() });
  let html = '';
  for await (const piece of text) html += piece;

  // As a file, without the headers of the answer; and without the page's own policy, so that only its text counts.
  for (const [name, content] of Object.entries({
    kept: html,
    bare: html.replace(/<meta http-equiv[^>]*>/, ''),
  })) {
    const file = join(temporaryFolder(), `${name}.html`);
    writeFileSync(file, content);
    const page = await browser.newPage();
    const acts: string[] = [];
    page.on('dialog', (dialog) => {
      acts.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (request.url() !== `file://${file}`) acts.push(`asked ${request.url()}`);
    });
    page.on('popup', () => acts.push('popup'));
    page.on('pageerror', (error) => acts.push(`error ${error.message}`));
    await page.goto(`file://${file}`);
    const found = await page.evaluate(`(() => {
      const elements = [...document.querySelectorAll('main *')];
      const handlers = elements.flatMap((element) =>
        [...element.attributes].filter(({ name, value }) => /^on|^style|src/.test(name) || /script:/i.test(value)));
      for (const element of elements) {
        element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
        if (element.tagName !== 'A') element.click();
      }
      return {
        articles: document.querySelectorAll('main > article').length,
        scripts: document.scripts.length,
        foreign: document.querySelectorAll('main :is(img, svg, math, iframe, object, embed, form, input, style, link, meta, base, video, audio)').length,
        handlers: handlers.map(({ name, value }) => name + '=' + value),
        links: [...document.links].map(({ protocol }) => protocol).filter((each) => !['http:', 'https:', 'mailto:'].includes(each)),
        texts: [...document.querySelectorAll('article > div')].filter((each) => each.textContent.trim() === '').length,
      };
    })()`);
    expect(found).toEqual({
      articles: said.length + 1,
      scripts: 0,
      foreign: 0,
      handlers: [],
      links: [],
      texts: 0,
    });
    expect(acts).toEqual([]);
    await page.close();
  }
});
