import { talk } from '../harness/http.ts';
import { load } from '../harness/load.ts';
import { measure, noted, progress, ratioAtLeast } from '../harness/measurement.ts';
import { startWorker } from '../harness/processes.ts';

const CONNECTIONS = 64;
const ROUNDS = 5;
/** Of each side before the first round: a server runs for days, its code compiled by what it was asked before. */
const WARM_UP = 4000;

await measure(
  `POST /conversations from another process over ${CONNECTIONS} keep-alive connections; the agents never answer, ` +
    'so that making a conversation and starting it is all that is done. Beside it a Fastify route without schema ' +
    'or hooks that inserts the same body as one row, in groups of one event-loop round, synchronous FULL. Medians ' +
    'of rounds taken by turns.',
  async ({ cleanup, folder, quick }) => {
    const engine = startWorker(cleanup, 'engine');
    const bare = startWorker(cleanup, 'bare-route');
    const url = await engine.ask<string>('start', { folder, playing: { kind: 'silent' } });
    const bareUrl = await bare.ask<string>('start', folder);
    const body = talk(20);
    // All of them together are fewer than may run at once: one that waits for a place costs less.
    const requests = quick ? 300 : 1000;
    const both = { connections: CONNECTIONS, requests };
    for (const where of [`${url}/conversations`, `${bareUrl}/rows`]) {
      await load(where, body, { ...both, requests: quick ? requests : WARM_UP });
    }
    const ours: number[] = [];
    const raw: number[] = [];
    const costs: { ours: number; bare: number }[] = [];
    const processorOf = async (worker: typeof engine): Promise<number> =>
      (await worker.ask<{ processor: number }>('usage')).processor;
    for (let index = 0; index < ROUNDS; index++) {
      const [oursBefore, bareBefore] = [await processorOf(engine), await processorOf(bare)];
      ours.push(await load(`${url}/conversations`, body, both));
      raw.push(await load(`${bareUrl}/rows`, body, both));
      costs.push({
        ours: (await processorOf(engine)) - oursBefore,
        bare: (await processorOf(bare)) - bareBefore,
      });
      progress(`${ours.at(-1)?.toFixed(0)} a second, bare ${raw.at(-1)?.toFixed(0)}`);
    }
    const beside = { what: 'a bare Fastify route that inserts one row', rounds: raw };
    return {
      figures: [
        ratioAtLeast('POST /conversations', 'requests/s', ours, beside, 0.5),
        noted(
          'CPU time of the server for one',
          'µs',
          costs.map((cost) => cost.ours / requests),
          { what: beside.what, rounds: costs.map((cost) => cost.bare / requests) },
        ),
      ],
    };
  },
);
