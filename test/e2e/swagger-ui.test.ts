import { expect, it } from 'vitest';
import { openPage } from '../fixtures/browser.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startServer } from '../fixtures/server.ts';

it('8.9: Swagger UI works under the policy of its answers, and starts a conversation with a key', async () => {
  const writer = keyOf('acme', 'writer');
  const { url } = await startServer({ API_KEYS: listed(writer) });
  // What it did against the policy, in the console or on the network is looked at as the test ends.
  const { page } = await openPage(`${url}/docs`);
  await page.getByRole('button', { name: 'Authorize' }).click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('#auth-bearer-value').fill(writer.key);
  await dialog.getByRole('button', { name: 'Apply credentials' }).first().click();
  await dialog.getByRole('button', { name: 'Close' }).first().click();
  const operation = page.locator('#operations-conversations-createConversation');
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table .response');
  await answer.first().waitFor();
  expect(await answer.locator('.response-col_status').innerText()).toMatch(/^201/);
  expect(await answer.locator('.response-col_description').innerText()).toContain('"tenant": "acme"');
});
