import type { Conversation } from '../../client/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import { attempt } from '../parts/toast.tsx';
import { ask } from '../server.ts';
import { nextOf } from '../talk/roster.ts';
import type { Talk } from '../talk/talk.ts';
import { formatCompact, formatCount, formatDollars, formatDuration } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import { Charts } from './charts.tsx';
import { spentBy } from './figures.ts';

/** Who takes part, what it took so far, and charts of it. */
export function Side({
  talk,
  conversation,
  speaker,
  onClose,
}: {
  talk: Talk;
  conversation: Conversation;
  speaker: string | undefined;
  onClose: () => void;
}) {
  const next = nextOf(conversation, speaker);
  const spent = spentBy(talk.entries.value);
  const mayChoose = conversation.status !== 'terminated';
  const choose = async (agent: string): Promise<void> => {
    const known = await attempt(() => ask((client) => client.next(talk.id, agent)));
    if (known) talk.learn(known);
  };
  return (
    <aside class="side" aria-label={texts.side.label}>
      <button type="button" class="quiet close" onClick={onClose}>
        {texts.close}
      </button>
      <section aria-label={texts.side.participants}>
        <h2>{texts.side.participants}</h2>
        <ul class="participants">
          {conversation.agents.map(({ name, provider, model, turns }) => {
            const isSpeaking = name === speaker;
            const state = isSpeaking
              ? texts.side.state['generating']
              : name === next
                ? texts.side.state['next']
                : '';
            const { tokens, dollars } = spent.get(name) ?? { tokens: 0, dollars: 0 };
            return (
              <li key={name}>
                <Avatar name={name} conversation={conversation} isSpeaking={isSpeaking} />
                <span class="who">
                  <b dir="auto">{name}</b>
                  {state && <span class={`state ${isSpeaking ? 'speaks' : 'next'}`}>{state}</span>}
                  <span class="facts">
                    {provider}
                    {provider === 'human' ? '' : ` · ${model}`}
                  </span>
                  <span class="facts">
                    {texts.side.turns(turns)}
                    {tokens > 0 && ` · ${texts.talk.tokens(formatCompact(tokens))}`}
                    {dollars > 0 && ` · ${formatDollars(dollars)}`}
                  </span>
                </span>
                {mayChoose && name !== next && (
                  <button
                    type="button"
                    class="quiet choose"
                    aria-label={texts.side.letSpeak(name)}
                    title={texts.side.letSpeak(name)}
                    onClick={() => void choose(name)}
                  >
                    {texts.side.choose}
                  </button>
                )}
              </li>
            );
          })}
        </ul>
      </section>
      <Figures conversation={conversation} />
      <Charts talk={talk} conversation={conversation} />
    </aside>
  );
}

function Figures({ conversation }: { conversation: Conversation }) {
  const { usage, turns, maxTurns, startedAt, createdAt, endedAt } = conversation;
  const end = endedAt === null ? Date.now() : Date.parse(endedAt);
  const figures: [string, string][] = [
    [texts.side.turnsSoFar, `${formatCount(turns)} / ${formatCount(maxTurns)}`],
    [texts.side.tokens, formatCompact(usage.totalTokens)],
    [texts.side.cost, usage.costUsd === null ? texts.side.unknownCost : formatDollars(usage.costUsd)],
    [texts.side.time, formatDuration(Math.max(0, end - Date.parse(startedAt ?? createdAt)))],
  ];
  return (
    <section aria-label={texts.side.figures}>
      <h2>{texts.side.figures}</h2>
      <dl class="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
