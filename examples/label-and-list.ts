/** Marks conversations with metadata, and finds them by it. */
import { connect } from './server.ts';

const client = connect();
const experiment = `warm-up-${Date.now()}`;
for (const temperature of [0.2, 0.9]) {
  await client.createConversation({
    topic: 'Describe the colour blue',
    agents: [{ provider: 'embedded' }, { provider: 'embedded' }].map((agent) => ({ ...agent, temperature })),
    maxTurns: 2,
    metadata: { experiment, temperature },
  });
}
const { items } = await client.listConversations({ 'label.experiment': experiment });
for (const { id, metadata, settings } of items) {
  console.log(`${id} ${metadata['experiment']} temperature ${settings.agents[0]?.temperature}`);
}
