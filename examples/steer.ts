/** Takes part in a conversation: pauses it, says something, takes a message back, chooses who speaks, and goes on. */
import { connect } from './server.ts';

const client = connect();
const { id } = await client.createConversation({
  topic: 'Where should we go on Sunday?',
  // The talk waits for a person's turn.
  agents: [
    { name: 'Zoe', provider: 'human' },
    { name: 'Ada', provider: 'embedded', model: 'eliza' },
    { name: 'Ben', provider: 'embedded', model: 'parry' },
  ],
  maxTurns: 2,
});
await client.pause(id, { detail: 'I have something to say' });
const mine = await client.say(id, { sender: 'Zoe', content: 'Not to the sea, please.' });
const slip = await client.say(id, { role: 'moderator', content: 'Or to the sea, for all I care.' });
// Agents are no longer shown it; the log keeps it.
await client.retract(id, { seq: slip.seq });
await client.next(id, 'Ben');
await client.resume(id);

let resumed = false;
for await (const frame of client.watch(id)) {
  if (frame.type === 'conversation.resumed') resumed = true;
  if (frame.type !== 'message') continue;
  const { seq, sender, content } = frame.message;
  const mark = seq === mine.seq ? ' (mine)' : seq === slip.seq ? ' (retracted)' : '';
  console.log(`${resumed ? 'after' : 'before'}: ${sender}${mark}: ${content}`);
}
