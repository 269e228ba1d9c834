/** Five models on one topic: those that are configured, and where there are fewer the embedded pair. */
import { connect } from './server.ts';

const [topic = 'What should a city do with its old power station?'] = process.argv.slice(2);
const client = connect();

const { items } = await client.providers();
const configured = items.filter(({ id, configured: is }) => is && id !== 'embedded' && id !== 'human');
const agents = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve'].map((name, index) => {
  const provider = configured[index]?.id;
  return provider === undefined
    ? { name, provider: 'embedded', model: index % 2 === 0 ? 'eliza' : 'parry' }
    : { name, provider };
});
const { id } = await client.createConversation({ topic, agents, maxTurns: 5 });

for await (const frame of client.watch(id)) {
  if (frame.type !== 'message') continue;
  const { sender, content, metadata } = frame.message;
  console.log(`${sender} (${metadata.model ?? 'moderator'}): ${content}`);
}
