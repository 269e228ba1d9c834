import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { promptFor } from '../../src/conversation/turn/prompt.ts';
import { agent, settings } from '../fixtures/conversations.ts';

const three = settings({
  topic: 'Bees',
  agents: [agent('Ada', { instructions: 'Be brief.' }), agent('Ben'), agent('Cleo')],
});
const said = (sender: string, content: string) => ({ sender, content });

describe('5.1: what an agent is shown', () => {
  it('is a system prompt with the topic, its name, the others and its instructions', () => {
    const { agent: name, topic, system } = promptFor(three, 0, []);
    expect({ name, topic }).toEqual({ name: 'Ada', topic: 'Bees' });
    expect(system).toContain('You are Ada, talking with Ben and Cleo.');
    expect(system).toContain('The topic: Bees');
    expect(system.endsWith('\n\nBe brief.')).toBe(true);
    expect(promptFor(three, 1, []).system).toContain('You are Ben, talking with Ada and Cleo.');
    expect(promptFor(three, 1, []).system).not.toContain('Be brief.');
    expect(promptFor(settings(), 1, []).system).toContain('You are Ben, talking with Ada.');
  });

  it('shows its own messages as assistant and those of others as named users', () => {
    const recent = [said('Moderator', 'Hello'), said('Ada', 'One'), said('Ben', 'Two')];
    expect(promptFor(three, 0, recent).messages).toEqual([
      { role: 'user', content: 'Moderator: Hello' },
      { role: 'assistant', content: 'One' },
      { role: 'user', content: 'Ben: Two' },
    ]);
  });

  it('merges what others said in a row', () => {
    const recent = [said('Ada', 'One'), said('Ben', 'Two'), said('Cleo', 'Three')];
    expect(promptFor(three, 1, recent).messages).toEqual([
      { role: 'user', content: 'Ada: One' },
      { role: 'assistant', content: 'Two' },
      { role: 'user', content: 'Cleo: Three' },
    ]);
    expect(promptFor(three, 0, recent.slice(1)).messages).toEqual([
      { role: 'user', content: 'Ben: Two\n\nCleo: Three' },
    ]);
  });

  it('begins with the topic where the window begins with its own message, or is empty', () => {
    const topic = { role: 'user', content: 'Moderator: Bees' };
    expect(promptFor(three, 0, []).messages).toEqual([topic]);
    expect(promptFor(three, 0, [said('Ada', 'One'), said('Ben', 'Two')]).messages).toEqual([
      topic,
      { role: 'assistant', content: 'One' },
      { role: 'user', content: 'Ben: Two' },
    ]);
  });

  it('alternates, begins with a user, and loses nothing, whoever spoke', () => {
    const names = ['Moderator', 'Ada', 'Ben', 'Cleo'];
    const recent = fc.array(
      fc.record({ sender: fc.constantFrom(...names), content: fc.stringMatching(/^[a-z]{1,8}$/) }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(recent, fc.nat({ max: 2 }), (recent, speaker) => {
        const own = three.agents[speaker]?.name;
        const { messages } = promptFor(three, speaker, recent);
        for (const [index, { role }] of messages.entries()) {
          expect(role).toBe(index % 2 === 0 ? 'user' : 'assistant');
        }
        const shown = messages.flatMap(({ role, content }) =>
          content.split('\n\n').map((line) => ({ role, line })),
        );
        const expected = recent.map(({ sender, content }) =>
          sender === own
            ? { role: 'assistant', line: content }
            : { role: 'user', line: `${sender}: ${content}` },
        );
        expect(shown.slice(shown.length - expected.length)).toEqual(expected);
        expect(shown.length - expected.length).toBe(recent.length === 0 || recent[0]?.sender === own ? 1 : 0);
      }),
    );
  });
});
