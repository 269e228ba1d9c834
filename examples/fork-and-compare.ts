/** Goes on from the same message in two ways, and puts them beside each other. */
import { type Client } from '../src/client/index.ts';
import { connect } from './server.ts';

const client = connect();
const agents = [
  { name: 'Ada', provider: 'embedded', model: 'eliza' },
  { name: 'Ben', provider: 'embedded', model: 'parry' },
];
const original = await client.createConversation({ topic: 'Can a machine be kind?', agents, maxTurns: 4 });
await ended(client, original.id);
const { items } = await client.messages(original.id);
const second = items.find(({ turn }) => turn === 2);

const forks = await Promise.all(
  ['Answer in one sentence.', 'Answer with a question.'].map((instructions) =>
    client.fork(original.id, {
      ...(second && { atSeq: second.seq }),
      agents: agents.map((agent) => ({ ...agent, instructions })),
      maxTurns: 4,
    }),
  ),
);
for (const { id, forkedFrom } of forks) {
  await ended(client, id);
  const talk = await client.messages(id);
  console.log(`\n${id}, from message ${forkedFrom?.seq}`);
  for (const { turn, sender, content } of talk.items) console.log(`  ${turn} ${sender}: ${content}`);
}

async function ended(from: Client, id: string): Promise<void> {
  for await (const frame of from.watch(id)) if (frame.type === 'conversation.terminated') return;
}
