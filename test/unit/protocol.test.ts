import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** What docs/protocol.md promises and no test shows, and why. */
const GAPS: Readonly<Record<string, string>> = {};

/** What tests name and that document doesn't have, and where it is written instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '5.2': 'the embedded pair: docs/decisions/0002-embedded-rules.md',
};

const DOCUMENT = 'docs/protocol.md';
const ID = String.raw`\d{1,2}(?:\.\d{1,2})?`;
/** A title that begins with the numbers of what it shows: `it('4.1, 4.2: …'`, `describe('8.3 …'`, a row of `each`. */
const CITING = new RegExp(
  String.raw`(?:\b(?:it|test|describe)(?:\.\w+)*\(|\)\(|\[)\s*(['"\`])(${ID}(?:(?:, | and )${ID})*)(:| )(?=\s?(.{0,60}))`,
  'g',
);

/** The numbered paragraphs, each with its first words, and the sections that have none. */
function promises(): Map<string, string> {
  const lines = readFileSync(DOCUMENT, 'utf8').split('\n');
  const found = new Map<string, string>();
  for (const line of lines) {
    const [, section = '', title = ''] = /^## (\d+)\. (.*)/.exec(line) ?? [];
    if (section) found.set(section, title);
    const [, id = '', words = ''] = /^(\d+\.\d+) (.{0,80})/.exec(line) ?? [];
    if (!id) continue;
    // Its paragraphs stand for a section.
    found.delete(id.split('.')[0] ?? '');
    found.set(id, words);
  }
  return found;
}

/** Where each number is cited; a section's number may be, also where it has paragraphs. */
function citations(promised: ReadonlyMap<string, string>): Map<string, string[]> {
  const cited = new Map<string, string[]>();
  for (const file of globSync('test/**/*.ts').toSorted()) {
    for (const [, , ids = '', behind, rest = ''] of readFileSync(file, 'utf8').matchAll(CITING)) {
      for (const id of ids.split(/, | and /)) {
        // Without a colon a lone number is one where it names a section, and else a number of something.
        if (behind === ' ' && !id.includes('.') && !promised.has(id)) continue;
        cited.set(id, [...(cited.get(id) ?? []), `${file}: ${ids}: ${rest}`]);
      }
    }
  }
  return cited;
}

it('every promise of the protocol is shown by a test that names it, or is a gap with a reason', () => {
  const promised = promises();
  const cited = citations(promised);
  const sections = new Set([...promised.keys()].map((id) => id.split('.')[0]));
  const faults = [
    ...[...promised]
      .filter(([id]) => !cited.has(id) && !(id in GAPS))
      .map(
        ([id, words]) =>
          `${DOCUMENT} ${id} (${words}…) is shown by no test. Begin the title of the one that shows it with "${id}: ", ` +
          'or say in GAPS of test/unit/protocol.test.ts why there is none.',
      ),
    ...[...cited]
      .filter(([id]) => !promised.has(id) && !sections.has(id) && !(id in ELSEWHERE))
      .map(([id, where]) => `${where[0]} names ${id}, which ${DOCUMENT} doesn't have.`),
    ...Object.keys(GAPS)
      .filter((id) => cited.has(id) || !promised.has(id))
      .map((id) => `GAPS has ${id}, which ${cited.get(id)?.[0] ?? 'is no promise any more'}: take it out.`),
  ];
  expect(faults).toEqual([]);
});

it('finds numbers in titles of every form, and no others', () => {
  const source = [
    `it('4.1, 4.2: a', b)`,
    `describe.each(c)('8.3 d', e)`,
    `it.each([['6: f', 7]])("10.1 and 10.2: g", h)`,
    `expect(i).toBe('1.5 MB')`,
  ].join('\n');
  expect([...source.matchAll(CITING)].map(([, , ids]) => ids)).toEqual([
    '4.1, 4.2',
    '8.3',
    '6',
    '10.1 and 10.2',
  ]);
});
