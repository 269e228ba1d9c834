/** Takes the picture that the README begins with, of the page as it is: `npm run picture`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const PICTURE = fileURLToPath(new URL('page.png', import.meta.url));
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'aic-picture-'));
const child = spawn(process.execPath, [MAIN], {
  env: { ...process.env, PORT: '0', DATA_DIR: folder, EMBEDDED_TOKEN_DELAY_MS: '45' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1360, height: 850 }, locale: 'en-GB' });
  await page.goto(await addressOf());
  await page.getByRole('textbox', { name: 'Topic' }).fill('Should science be open by default?');
  await page.getByRole('radio', { name: 'Debate' }).check();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('article', { name: 'Pro' }).nth(1).waitFor();
  await page
    .getByRole('textbox', { name: 'Say something' })
    .fill('What would each of you give up for the other side?');
  await page.keyboard.press('Enter');
  await page.getByRole('article', { name: 'Human' }).waitFor();
  await page.locator('.speaking .body p').first().waitFor();
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  child.kill();
  rmSync(folder, { recursive: true, force: true });
}

async function addressOf(): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, port } = JSON.parse(line) as { event: string; port?: number };
    if (event === 'server.listening') {
      // Nobody reads on.
      child.stdout.resume();
      return `http://127.0.0.1:${port}`;
    }
  }
  throw new Error('the server ended');
}
