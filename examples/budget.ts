/** Ends a conversation before it takes more than it may: in tokens here, in dollars with `maxCostUsd`. */
import { connect } from './server.ts';

const [topic = 'How do rivers find their way?'] = process.argv.slice(2);
const client = connect();
const { id } = await client.createConversation({
  topic,
  maxTurns: 100,
  termination: { maxTotalTokens: 2000, maxCostUsd: 0.5 },
});

for await (const frame of client.watch(id)) {
  if (frame.type === 'message') console.log(`turn ${frame.message.turn}: ${frame.message.sender}`);
}
const { usage, termination } = await client.getConversation(id);
console.log(`${termination?.reason}: ${usage.totalTokens} tokens, $${usage.costUsd ?? 'unknown'}`);
