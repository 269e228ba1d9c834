import { useState } from 'preact/hooks';
import { formatCount } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import type { TurnFigures } from './figures.ts';

/** The newest; all of a long talk are worth their nodes only to who asks for them. */
const SHOWN = 50;

/** What a chart shows, to be read. */
export function TurnsTable({
  turns,
  columns,
}: {
  turns: readonly TurnFigures[];
  columns: readonly [name: string, value: (turn: TurnFigures, index: number) => string][];
}) {
  const [isWhole, setWhole] = useState(false);
  const from = isWhole ? 0 : Math.max(0, turns.length - SHOWN);
  return (
    <div class="turns" tabIndex={0} role="group" aria-label={texts.side.table}>
      <table aria-label={texts.side.table}>
        <thead>
          <tr>
            <th scope="col">{texts.side.columns.turn}</th>
            <th scope="col">{texts.side.columns.agent}</th>
            {columns.map(([name]) => (
              <th scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {turns.slice(from).map((turn, index) => (
            <tr key={turn.turn}>
              <th scope="row">{formatCount(turn.turn)}</th>
              <td dir="auto">{turn.agent}</td>
              {columns.map(([, value]) => (
                <td class="number">{value(turn, from + index)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {turns.length === 0 && <p class="facts">{texts.side.noTurns}</p>}
      {from > 0 && (
        <button type="button" class="quiet" onClick={() => setWhole(true)}>
          {texts.side.allTurns}
        </button>
      )}
    </div>
  );
}
