/**
 * Many topics, a few at a time: those of the command line, or one a line on standard input. Run again within a day it goes
 * on with the same conversations, since each has a key of its own.
 */
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { connect } from './server.ts';

const AT_ONCE = 3;

const given = process.argv.slice(2);
const lines = given.length > 0 ? given : (await text(process.stdin)).split('\n');
const topics = lines.map((line) => line.trim()).filter((line) => line !== '');
const client = connect();

async function discuss(topic: string): Promise<void> {
  const idempotencyKey = createHash('sha256').update(topic).digest('hex');
  const { id } = await client.createConversation({ topic, maxTurns: 4 }, { idempotencyKey });
  for await (const frame of client.watch(id)) {
    if (frame.type === 'conversation.terminated') console.log(`${id} ${frame.reason} ${topic}`);
  }
}

const waiting = topics.values();
async function work(): Promise<void> {
  for (const topic of waiting) await discuss(topic);
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
