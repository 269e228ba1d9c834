/** Starts a conversation and shows its words as they come. */
import { connect } from './server.ts';

const [topic = 'Is a hot dog a sandwich?'] = process.argv.slice(2);
const client = connect();
const { id } = await client.createConversation({ topic, maxTurns: 4 });

let shown = '';
for await (const frame of client.watch(id)) {
  if (frame.type === 'turn.delta') {
    process.stdout.write(shown === '' ? `${frame.agent}: ${frame.text}` : frame.text);
    shown += frame.text;
  } else if (frame.type === 'turn.failed') {
    // What was shown of this attempt is void.
    process.stdout.write(` [${frame.error}]\n`);
    shown = '';
  } else if (frame.type === 'message') {
    // Whoever comes late has the message alone.
    const { sender, content } = frame.message;
    console.log(shown === '' ? `${sender}: ${content}` : content.slice(shown.length));
    shown = '';
  } else if (frame.type === 'conversation.terminated') {
    console.log(`It ended: ${frame.reason}`);
  }
}
