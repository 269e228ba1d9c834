/** A debate: opening statements, rebuttals, closing statements, and a judge who reads it in both orders. */
import { connect } from './server.ts';

const [topic = 'Should science be open by default?'] = process.argv.slice(2);
const client = connect();
const { id } = await client.createConversation({ topic, scenario: 'debate' });

for await (const frame of client.watch(id)) {
  if (frame.type === 'message') {
    const { sender, content, metadata } = frame.message;
    console.log(`${sender}${metadata.phase ? ` (${metadata.phase})` : ''}: ${content}\n`);
  } else if (frame.type === 'verdict.given') {
    for (const { agent, criterion, score, why } of frame.scores) {
      console.log(`${agent}, ${criterion}: ${score}${why ? ` (${why})` : ''}`);
    }
    console.log(`Verdict: ${frame.winner ?? 'no winner'}`);
  }
}
