import type { ScenarioSettings } from '../../protocol/scenarios.ts';

/** A named beginning; docs/protocol.md, section 9.6. */
export interface Scenario {
  name: string;
  title: string;
  description: string;
  settings: ScenarioSettings;
}

const JUDGED_BY_REASONS = [
  { name: 'Argument', description: 'Are the reasons sound, and do they carry the claim?', weight: 2 },
  { name: 'Response', description: 'Is what the other side said taken up and answered?' },
  { name: 'Clarity', description: 'Can somebody who knows nothing of it follow?' },
];

/** Those that come with the platform; each runs with whatever vendors there are, and with the embedded pair. */
export const BUILT_IN_SCENARIOS: readonly Scenario[] = [
  {
    name: 'debate',
    title: 'Debate',
    description: 'Two sides with opening statements, two rounds of rebuttal and closings; a judge decides.',
    settings: {
      agents: [
        { name: 'Pro', instructions: 'You argue for the motion, whatever you think of it yourself.' },
        { name: 'Contra', instructions: 'You argue against the motion, whatever you think of it yourself.' },
      ],
      turnPolicy: { type: 'debate', sides: [['Pro'], ['Contra']], rounds: 2 },
      decision: { type: 'judge', judge: {}, rubric: JUDGED_BY_REASONS },
      termination: { phrases: [], similarity: { threshold: 1 } },
      maxTurns: 8,
    },
  },
  {
    name: 'interview',
    title: 'Interview',
    description:
      'One asks, one answers. The interviewer follows up on what was said, and ends it when all is told.',
    settings: {
      agents: [
        {
          name: 'Interviewer',
          instructions:
            'You interview the guest about the topic. Ask one question at a time, short and open, that follows from the ' +
            'last answer. When nothing is left to ask, thank the guest and end with [done].',
        },
        {
          name: 'Guest',
          instructions:
            'You know the topic from your own work. Answer with examples, and say where you are not sure.',
        },
      ],
      turnPolicy: { type: 'round_robin' },
      termination: { phrases: ['[done]'], minTurns: 6 },
      maxTurns: 16,
    },
  },
  {
    name: 'brainstorm',
    title: 'Brainstorm',
    description: 'An anonymous panel: everybody brings ideas at the same time, then all rank the directions.',
    settings: {
      agents: [
        {
          name: 'Inventor',
          instructions: 'Bring ideas that nobody has tried. Three at most, a sentence each.',
        },
        {
          name: 'Builder',
          instructions: 'Bring ideas that could be built this week. Three at most, a sentence each.',
        },
        {
          name: 'Skeptic',
          instructions: 'Turn what would fail into an idea that would not. Three at most, a sentence each.',
        },
      ],
      turnPolicy: { type: 'panel', rounds: 2, anonymous: true },
      decision: { type: 'vote', method: 'ranked', question: 'Whose ideas should be taken further?' },
      termination: { phrases: [], similarity: { threshold: 1 } },
      maxTurns: 6,
    },
  },
  {
    name: 'socratic',
    title: 'Socratic dialogue',
    description: 'One holds an opinion, one only asks, until it is clear what is known and what is not.',
    settings: {
      agents: [
        {
          name: 'Socrates',
          instructions:
            'You never state an opinion. Ask one short question at a time that tests what was just said: what it means, what ' +
            'follows from it, and where it would fail.',
        },
        {
          name: 'Student',
          instructions: 'You hold an opinion on the topic. Answer honestly, and change it when you must.',
        },
      ],
      turnPolicy: { type: 'round_robin' },
      termination: { when: { any: [{ rounds: 6 }, { said: 'I do not know', by: 'Student' }] } },
      maxTurns: 14,
    },
  },
  {
    name: 'peer-review',
    title: 'Peer review',
    description:
      'An author presents, two reviewers object, the author answers; then a vote to accept, revise or reject.',
    settings: {
      agents: [
        {
          name: 'Author',
          instructions: 'You present your work on the topic, and answer every objection or grant it.',
        },
        { name: 'Reviewer 1', instructions: 'You look at method: what is claimed, and does it follow?' },
        { name: 'Reviewer 2', instructions: 'You look at use: is it new, and who gains by it?' },
      ],
      turnPolicy: { type: 'round_robin' },
      decision: {
        type: 'vote',
        question: 'What should become of the work?',
        options: ['accept', 'revise', 'reject'],
        method: 'majority',
      },
      termination: { phrases: [], when: { rounds: 3 } },
      maxTurns: 9,
    },
  },
  {
    name: 'panel',
    title: 'Panel',
    description:
      'Several answer the same question at the same time, without seeing each other; then once more, seeing all.',
    settings: {
      agents: [{ name: 'First' }, { name: 'Second' }, { name: 'Third' }],
      turnPolicy: { type: 'panel', rounds: 2 },
      termination: { phrases: [], similarity: { threshold: 1 } },
      maxTurns: 6,
    },
  },
  {
    name: 'negotiation',
    title: 'Negotiation',
    description: 'Two parties look for terms, and a mediator proposes; it ends as soon as all agree.',
    settings: {
      agents: [
        {
          name: 'Seller',
          instructions: 'You want a high price and a short contract. Give way only for something.',
        },
        {
          name: 'Buyer',
          instructions: 'You want a low price and a long contract. Give way only for something.',
        },
        {
          name: 'Mediator',
          instructions:
            'You sum up where both stand, and propose one set of terms that both could sign, in one sentence.',
        },
      ],
      turnPolicy: { type: 'round_robin' },
      decision: { type: 'consensus', share: 1, everyRounds: 1 },
      termination: { phrases: [], similarity: { threshold: 1 } },
      maxTurns: 12,
    },
  },
  {
    name: 'red-team',
    title: 'Red team',
    description:
      'One proposes, one attacks the proposal, a moderator says who is to speak and when enough was found.',
    settings: {
      agents: [
        {
          name: 'Blue',
          instructions: 'You propose a plan for the topic, and mend it where an attack holds.',
        },
        {
          name: 'Red',
          instructions:
            'You attack the plan: how would it be abused, broken, or fail? One attack at a time, the worst first.',
        },
      ],
      turnPolicy: {
        type: 'moderator',
        moderator: {
          instructions: 'Let Red attack and Blue mend in turn. It is over when no new attack holds.',
        },
      },
      termination: { phrases: [] },
      maxTurns: 12,
    },
  },
];
