import { Marked } from 'marked';
import { describe, expect, it } from 'vitest';
import { closingOf, renderMarkdown } from '../../src/export/commonmark.ts';
import { contentDisposition } from '../../src/export/content-disposition.ts';
import { fileNameOf } from '../../src/export/file-name.ts';
import { XSS_VECTORS } from '../fixtures/xss.ts';

describe('2.9: the name of a download', () => {
  it.each([
    ['Should science be open?', 'Should science be open.md'],
    ['  a/b\\c: "d" <e>|f*  ', 'a b c d e f.md'],
    ['../../etc/passwd', 'etc passwd.md'],
    ['.hidden', 'hidden.md'],
    ['Crème brûlée 東京', 'Crème brûlée 東京.md'],
    ['evil\u202Egnp.exe', 'evil gnp.exe.md'],
    ['???', 'conversation.md'],
    ['CON', 'conversation.md'],
    ['line\nbreak\r\nX: y', 'line break X y.md'],
    ['a'.repeat(2000), `${'a'.repeat(150)}.md`],
    ['東'.repeat(200), `${'東'.repeat(50)}.md`],
    ['🎉'.repeat(200), `${'🎉'.repeat(37)}.md`],
  ])('of %j', (topic, name) => {
    expect(fileNameOf(topic, 'md')).toBe(name);
  });

  it('is given as RFC 6266 has it', () => {
    expect(contentDisposition("Isn't (it)?.md")).toBe(
      `attachment; filename="Isn't (it)?.md"; filename*=UTF-8''Isn%27t%20%28it%29%3F.md`,
    );
    expect(contentDisposition('東京.md')).toBe(
      `attachment; filename="??.md"; filename*=UTF-8''%E6%9D%B1%E4%BA%AC.md`,
    );
  });
});

describe('2.9: what a message leaves open is closed', () => {
  it.each([
    ['nothing', 'text', ''],
    ['inline code', 'a ``` b', ''],
    ['a fence', '```js\nlet a', '```'],
    ['a fence that is closed', '```js\nlet a\n```', ''],
    ['a longer fence', '`````\n```\n', '`````'],
    ['tildes', 'text\n~~~\ncode', '~~~'],
    ['a closed one and another', '```\na\n```\n```\nb', '```'],
    ['a fence whose end has words', '```\na\n``` no', '```'],
    ['a fence of one line', '```', '```'],
    ['a fence in a list, which ends with it', '- a\n  ```\n  code', ''],
    ['a fence in a quotation', '> ```\n> code', ''],
    ['an indented fence, which is code', '    ```\n', ''],
    ['a comment', '<!-- and so', '-->'],
    ['a comment that is closed', '<!-- and so -->', ''],
    ['preformatted text', '<pre>\na\n\nb', '</pre>'],
    ['a script', '<script>\nlet a', '</script>'],
    ['a fence in a long text', `${'word '.repeat(5000)}\n\`\`\`\ncode`, '```'],
  ])('%s', (_name, text, closing) => {
    expect(closingOf(text)).toBe(closing);
    const whole = `${text}\n${closing}\n\n## Ben\n`;
    expect(new Marked().parse(whole)).toContain('<h2>Ben</h2>');
  });
});

describe('2.9: Markdown in HTML', () => {
  it('is rendered', () => {
    expect(renderMarkdown('**a** `b`\nc')).toBe('<p><strong>a</strong> <code>b</code><br>c</p>\n');
    expect(renderMarkdown('[a](https://b.example/?c=d&e)')).toBe(
      '<p><a href="https://b.example/?c=d&amp;e" rel="noopener noreferrer nofollow">a</a></p>\n',
    );
    expect(renderMarkdown('|a|b|\n|:-|-|\n|1|2|')).toContain('<td align="left">1</td>');
    expect(renderMarkdown('<b>as it was said</b> & so')).toBe(
      '<p>&lt;b&gt;as it was said&lt;/b&gt; &amp; so</p>\n',
    );
  });

  it('that is too long or nested too deep is shown as it was written', () => {
    expect(renderMarkdown('_a'.repeat(20_000))).toMatch(/^<pre>_a_a/);
    expect(renderMarkdown('> '.repeat(5000))).toMatch(/^<(?:pre|blockquote)>/);
  });

  it.each(XSS_VECTORS)('does nothing of %j', (vector) => {
    const html = renderMarkdown(vector);
    const tags = [...html.matchAll(/<(\/?)([^\s>]*)([^>]*)>/g)];
    for (const [, , name = '', attributes = ''] of tags) {
      expect(name).toMatch(
        /^(?:p|br|hr|strong|em|del|code|pre|blockquote|[uo]l|li|h[3-6]|table|thead|tbody|t[rhd]|a)$/,
      );
      expect(attributes).toMatch(
        /^(?: (?:href="(?:https?:|mailto:)[^"]*"|rel="[a-z ]*"|align="[a-z]*"))*(?: \/)?$/,
      );
    }
  });
});
