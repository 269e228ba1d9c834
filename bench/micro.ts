/** The small parts of a turn's path, each alone: `npm run bench:micro`. */

import { bench, do_not_optimize as keep, run, summary } from 'mitata';
import { type ConversationEvent, openingEvents, replyEvent } from '../src/conversation/log/events.ts';
import type { ConversationSettings } from '../src/conversation/log/settings.ts';
import { apply, fold } from '../src/conversation/log/state.ts';
import { fingerprint, jaccard } from '../src/conversation/policies/similarity.ts';
import { formatCursor, parseCursor } from '../src/conversation/stream/cursor.ts';
import { deltaFrame, eventFrame } from '../src/conversation/stream/frames.ts';
import { promptFor } from '../src/conversation/turn/prompt.ts';
import { readEvent } from '../src/protocol/read-event.ts';
import { createSanitiser } from '../src/security/sanitise.ts';
import { createMasker, Secret } from '../src/security/secrets.ts';

const ID = '01996e3f-5a52-7c3e-9f41-0d2b6a7c8e90';
const CONTENT = 'The talk goes on, and nobody knows where it will end. '.repeat(15).slice(0, 800);
const shared = { provider: 'embedded', temperature: 0.7, maxOutputTokens: 1024 };
const settings: ConversationSettings = {
  topic: 'Should science be open by default?',
  agents: [
    { name: 'Ada', model: 'eliza', ...shared },
    { name: 'Ben', model: 'parry', ...shared },
  ],
  openingMessage: 'Should science be open by default?',
  maxTurns: 10_000,
  timeoutSeconds: 1800,
  contextMessages: 10,
  termination: { phrases: ['[done]'], minTurns: 2, similarity: { threshold: 0.85, consecutive: 2 } },
  metadata: {},
};
const now = new Date(0);
const log: ConversationEvent[] = openingEvents(settings, now);
for (let turn = 1; turn <= 20; turn++) {
  const sender = turn % 2 === 1 ? 'Ada' : 'Ben';
  const metadata = {
    provider: 'embedded',
    model: 'eliza',
    inputTokens: 300,
    outputTokens: 200,
    attempt: 'a-1',
  };
  log.push(replyEvent(turn + 2, now, { turn, sender, content: `${turn} ${CONTENT}`, metadata }));
}
const state = fold(undefined, log);
if (!state) throw new Error('the log has no beginning');
const next = replyEvent(23, now, { turn: 21, sender: 'Ada', content: CONTENT, metadata: {} });
const json = JSON.stringify(next);
const entry = { seq: 23, type: 'message', json };
const messages = log.flatMap((event) => (event.type === 'message' ? [event.message] : [])).slice(-10);
const [left, right] = [fingerprint(`1 ${CONTENT}`), fingerprint(`2 ${CONTENT}`)];
const words = CONTENT.split(' ').map((word) => `${word} `);
const mask = createMasker([new Secret('a-key-that-is-known-by-value')]);
const line = JSON.stringify({
  level: 'info',
  conversation_id: ID,
  provider: 'embedded',
  turn: 7,
  event: 'turn.taken',
});
const cursor = formatCursor(ID, 23, '0a1b2c3d', 'abcdefghijkl-1', 400);
const attempt = { id: 'abcdefghijkl-1', turn: 21, agent: 'Ada', provider: 'embedded', model: 'eliza' };
const underWay = { ...attempt, afterSeq: 22, afterMark: '0a1b2c3d', text: CONTENT };

summary(() => {
  bench('state: apply one message of 800 bytes', () => keep(apply(state, next)));
  bench('state: fold 22 events', () => keep(fold(undefined, log)));
});
summary(() => {
  bench('similarity: fingerprint of 800 bytes', () => keep(fingerprint(CONTENT)));
  bench('similarity: jaccard of two of them', () => keep(jaccard(left, right)));
});
summary(() => {
  bench('sanitiser: 800 bytes in one piece', () => {
    const sanitiser = createSanitiser();
    keep(sanitiser.push(CONTENT) + sanitiser.end());
  });
  bench('sanitiser: 800 bytes word by word', () => {
    const sanitiser = createSanitiser();
    for (const word of words) keep(sanitiser.push(word));
    keep(sanitiser.end());
  });
});
bench('masker: one log line', () => keep(mask(line)));
bench('context: prompt of 10 messages of 800 bytes', () => keep(promptFor(settings, 0, messages)));
summary(() => {
  bench('frame: of an event in the log', () => keep(eventFrame(ID, entry)));
  bench('frame: of a delta', () => keep(deltaFrame(ID, underWay, 'word ', 400)));
});
summary(() => {
  bench('cursor: format', () => keep(formatCursor(ID, 23, '0a1b2c3d', 'abcdefghijkl-1', 400)));
  bench('cursor: parse', () => keep(parseCursor(cursor, ID, 23)));
});
bench('event: parse 800 bytes', () => keep(readEvent(json)));

await run();
