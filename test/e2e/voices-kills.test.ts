import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, ConversationRequest } from '../../src/client/types.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog } from '../fixtures/talks.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';

/** How often the server is killed; 20 were tried, too. */
const KILLS = Number(process.env['AIC_KILLS'] ?? 5);
/** A call takes about this long, in milliseconds: so that a kill falls into one. */
const CALL_MS = 40;

const AGENTS = ['Ada', 'Ben', 'Cyd'].map((name) => ({ provider: 'local', name }));
const MODEL = { provider: 'local', name: 'Someone' };
const JUDGED: Pick<ConversationRequest, 'decision'> = {
  decision: { type: 'judge', judge: MODEL, rubric: [{ name: 'clarity', description: 'is clear' }] },
};

/** Every policy, with every way to decide somewhere among them. */
const TALKS: Omit<ConversationRequest, 'topic'>[] = [
  { turnPolicy: { type: 'round_robin' }, decision: { type: 'vote', method: 'plurality' } },
  { turnPolicy: { type: 'random', seed: 'one' }, ...JUDGED },
  { turnPolicy: { type: 'weighted', weights: { Ada: 2 }, seed: 'two' } },
  { turnPolicy: { type: 'mention' } },
  { turnPolicy: { type: 'moderator', moderator: MODEL }, decision: { type: 'vote', method: 'approval' } },
  { turnPolicy: { type: 'debate', sides: [['Ada'], ['Ben', 'Cyd']], rounds: 4 }, ...JUDGED },
  { turnPolicy: { type: 'panel', rounds: 5, anonymous: true }, decision: { type: 'vote', method: 'ranked' } },
  { turnPolicy: { type: 'panel', rounds: 5 }, decision: { type: 'consensus', share: 1 } },
];

/** What a model says follows from what it is asked alone, so that it says the same again after a kill. */
function saidTo(prompt: string): string {
  const digest = createHash('sha256').update(prompt).digest();
  const pick = <Of>(from: readonly Of[]): Of => from[digest.readUInt8(0) % from.length] as Of;
  if (prompt.includes('You moderate a talk')) return JSON.stringify({ agent: pick(['Ada', 'Ben', 'Cyd']) });
  if (prompt.includes('You judge a talk')) {
    const scores = [1, 2, 3].map((number) => ({
      agent: `Participant ${number}`,
      criterion: 'clarity',
      score: 1 + (digest.readUInt8(number) % 9),
      why: 'so',
    }));
    return JSON.stringify({ scores, summary: 'so' });
  }
  if (prompt.includes('now you vote')) {
    const options = [...prompt.matchAll(/\\n- ([^\\"]+)/g)].map(([, option]) => option ?? '');
    return JSON.stringify({ why: 'so', choice: prompt.includes('["OPTION", …]') ? options : pick(options) });
  }
  return `I say ${digest.toString('hex').slice(0, 12)}, @${pick(['Ada', 'Ben', 'Cyd'])}.`;
}

/** What was said and decided, without times, names of attempts and seqs. */
function told(log: readonly ConversationEvent[]): object[] {
  return log.flatMap((event): object[] => {
    switch (event.type) {
      case 'message': {
        const { turn, sender, content, metadata } = event.message;
        return [{ turn, sender, content, side: metadata['side'], phase: metadata['phase'] }];
      }
      case 'speaker.chosen':
        return [{ chosen: event.agent, by: event.by }];
      case 'ballot.cast':
        return [{ voter: event.agent, choice: event.choice, why: event.why }];
      case 'vote.closed':
        return [{ winner: event.winner, tally: event.tally, valid: event.valid, invalid: event.invalid }];
      case 'verdict.given':
        return [{ winner: event.winner, scores: event.scores, totals: event.totals }];
      case 'conversation.closing':
      case 'conversation.terminated':
        return [{ type: event.type, reason: event.reason }];
      default:
        return [];
    }
  });
}

/** Ballots are cast in whatever order they come; each vote's are told by the voter's name. */
function inOrder(events: readonly object[]): object[] {
  const voter = (event: object): string => ('voter' in event ? String(event.voter) : '');
  const sorted: object[] = [];
  let ballots: object[] = [];
  for (const event of [...events, {}]) {
    if ('voter' in event) {
      ballots.push(event);
      continue;
    }
    sorted.push(...ballots.toSorted((one, other) => voter(one).localeCompare(voter(other))), event);
    ballots = [];
  }
  return sorted;
}

it.each(['SQLite', 'Redis'])(
  `DESIGN 1, 3, 4, 9.1, 9.2: on %s, every policy comes to the log that it would have come to, after ${KILLS} kills -9`,
  { timeout: (60 + KILLS * 20) * 1000 },
  async (backend) => {
    const redis = backend === 'Redis' ? await redisOfTest() : undefined;
    const vendor = await startVendor('openai', async ({ body }) => {
      await delay(CALL_MS);
      return answer(saidTo(JSON.stringify(body)));
    });
    onTestFinished(vendor.close);
    const environment = {
      LOCAL_BASE_URL: vendor.baseUrl,
      LOCAL_MODEL: 'm',
      RETRY_TRIES: '5',
      DATA_DIR: temporaryFolder(),
      ...(redis && { REDIS_URL: redis.url }),
    };
    let server = await startServer(environment);
    const start = (): Promise<string[]> =>
      Promise.all(
        TALKS.map(async (talk) => {
          const client = createClient({ baseUrl: server.url });
          const request = { topic: 'Is tea better?', agents: AGENTS, maxTurns: 40, ...talk };
          return (await client.createConversation(request)).id;
        }),
      );
    const outcomes = async (ids: readonly string[]): Promise<object[][]> => {
      const all: object[][] = [];
      for (const id of ids) {
        await ended(server.url, id);
        const log = await readLog(server.url, id);
        expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
        all.push(inOrder(told(log)));
      }
      return all;
    };

    const undisturbed = await outcomes(await start());
    const ids = await start();
    for (let kill = 0; kill < KILLS; kill++) {
      const calls = vendor.requests.length;
      // So many calls on, somewhere within them.
      await vendor.arrived(calls + 1 + ((kill * 7) % 12));
      await delay(Math.random() * CALL_MS);
      await server.stop('SIGKILL');
      server = await startServer(environment);
    }
    const disturbed = await outcomes(ids);
    for (const [index, talk] of disturbed.entries()) expect(talk).toEqual(undisturbed[index]);
  },
);
