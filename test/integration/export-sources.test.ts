import { expect, it } from 'vitest';
import { create, get } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { addDocument } from '../fixtures/knowledge/documents.ts';
import { scriptedVendor } from '../fixtures/knowledge/vendor.ts';
import { startServer } from '../fixtures/server.ts';

it('2.9, 11.3: Markdown and HTML name the sources that a message cites, and nothing in them acts', async () => {
  const vendor = await scriptedVendor(['It ran in 1894 [1].', 'Nothing to cite.']);
  const { url } = await startServer(vendor.environment);
  const title = 'Trams <b onclick="a()"> [x](javascript:alert(1)) *&*';
  await addDocument(url, 'papers', { id: 'a', title, text: 'The first electric tram ran in 1894.' });
  const [ada, ben] = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name }));
  // It waits for the third, so that something can be retracted.
  const agents = [ada, ben, { provider: 'human', name: 'Me' }];
  const { made } = await create(url, {
    topic: 'The electric tram?',
    agents,
    maxTurns: 3,
    knowledge: [{ collection: 'papers' }],
  });
  await expect.poll(async () => (await get(url, made.id)).turns).toBe(2);
  const exported = async (format: string) =>
    (await call(url, `/conversations/${made.id}/export?format=${format}`)).text;
  const markdown = await exported('markdown');
  expect(markdown.match(/\nSources:\n\n.*\n/g)).toEqual([
    '\nSources:\n\n- \\[1\\] Trams \\<b onclick="a()"\\> \\[x\\](javascript:alert(1)) \\*\\&\\* (papers, passage 1)\n',
  ]);
  expect(markdown.indexOf('Sources:')).toBeGreaterThan(markdown.indexOf('It ran in 1894'));
  expect(markdown.indexOf('Sources:')).toBeLessThan(markdown.indexOf('Nothing to cite'));
  const html = await exported('html');
  expect(html.match(/<footer>[^]*?<\/footer>/g)).toEqual([
    '<footer>Sources:\n<ul>\n<li>[1] <bdi>Trams &lt;b onclick=&quot;a()&quot;&gt; [x](javascript:alert(1)) *&amp;*</bdi> (papers, passage 1)</li>\n</ul></footer>',
  ]);
  const body = { seq: 3 };
  expect((await call(url, `/conversations/${made.id}/retract`, { body })).status).toBe(200);
  for (const format of ['markdown', 'html']) expect(await exported(format)).not.toContain('Sources:');
});
