import { texts } from '../text/texts.ts';

/** A named beginning, as the server lists it. */
export interface Scenario {
  name: string;
  title: string;
  description: string;
}

/** How a talk can go: one to choose. */
export function Gallery({
  scenarios,
  chosen,
  onChoose,
}: {
  scenarios: readonly Scenario[];
  chosen: string;
  onChoose: (name: string) => void;
}) {
  if (scenarios.length === 0) return null;
  const free = { name: '', title: texts.start.free, description: texts.start.freeDescription };
  const all = [free, ...scenarios];
  return (
    <fieldset class="gallery">
      <legend>{texts.start.scenario}</legend>
      <div class="choices">
        {all.map(({ name, title }) => (
          <label key={name} class="choice-chip">
            <input
              type="radio"
              name="scenario"
              value={name}
              checked={chosen === name}
              onChange={() => onChoose(name)}
            />
            <span dir="auto">{title}</span>
          </label>
        ))}
      </div>
      <p class="hint" aria-live="polite" dir="auto">
        {all.find(({ name }) => name === chosen)?.description}
      </p>
    </fieldset>
  );
}
