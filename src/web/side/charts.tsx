import { useMemo } from 'preact/hooks';
import type { Conversation } from '../../client/types.ts';
import type { Talk } from '../talk/talk.ts';
import { formatCompact, formatDuration, formatShare } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import { Chart, type Series } from './chart.tsx';
import { type TurnFigures, turnsIn } from './figures.ts';
import { TurnsTable } from './turns-table.tsx';
import { useSimilarities } from './use-similarities.ts';

/** Time, spending and repetition, turn by turn; each with its table. */
export function Charts({ talk, conversation }: { talk: Talk; conversation: Conversation }) {
  const turns = turnsIn(talk.entries.value);
  const similarities = useSimilarities(turns);
  const { threshold } = conversation.settings.termination.similarity;
  const numbers = turns.map(({ turn }) => turn);
  const names = conversation.agents.map(({ name }) => name);
  const spending = useMemo(() => summed(turns, names), [turns.length]);
  return (
    <section aria-label={texts.side.charts} class="charts">
      <Figure title={texts.side.speed}>
        <Chart
          x={numbers}
          format={formatDuration}
          series={[
            {
              label: texts.side.columns.duration,
              values: turns.map(({ durationMs }) => durationMs),
              tone: 'bar',
            },
            { label: texts.side.columns.first, values: turns.map(({ firstMs }) => firstMs), tone: 'line' },
          ]}
        />
        <TurnsTable
          turns={turns}
          columns={[
            [
              texts.side.columns.first,
              ({ firstMs }) => (firstMs === undefined ? '' : formatDuration(firstMs)),
            ],
            [
              texts.side.columns.duration,
              ({ durationMs }) => (durationMs === undefined ? '' : formatDuration(durationMs)),
            ],
          ]}
        />
      </Figure>
      <Figure title={texts.side.spending}>
        <Chart x={numbers} format={formatCompact} series={spending} />
        <TurnsTable turns={turns} columns={SPENDING} />
      </Figure>
      <Figure title={texts.side.likeness}>
        <Chart
          x={numbers}
          format={formatShare}
          most={1}
          series={[
            { label: texts.side.columns.similarity, values: similarities, tone: 'line' },
            { label: texts.side.threshold, values: numbers.map(() => threshold), tone: 'limit' },
          ]}
        />
        <TurnsTable
          turns={turns}
          columns={[
            [
              texts.side.columns.similarity,
              (_turn, index) => {
                const value = similarities[index];
                return value === undefined ? '' : formatShare(value);
              },
            ],
          ]}
        />
      </Figure>
    </section>
  );
}

const SPENDING: Parameters<typeof TurnsTable>[0]['columns'] = [
  [texts.side.columns.tokens, ({ tokens }) => formatCompact(tokens)],
  [texts.side.columns.dollars, ({ dollars }) => (dollars === undefined ? '' : dollarsOf(dollars))],
];

function dollarsOf(dollars: number): string {
  return dollars === 0 ? '0' : dollars.toFixed(4);
}

function Figure({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      {children}
    </figure>
  );
}

/** What each agent has used up to each turn. */
function summed(turns: readonly TurnFigures[], names: readonly string[]): Series[] {
  return names.map((name, index) => {
    let sum = 0;
    const values = turns.map(({ agent, tokens }) => {
      if (agent === name) sum += tokens;
      return sum;
    });
    return { label: name, values, tone: `agent-${index % 8}` };
  });
}
