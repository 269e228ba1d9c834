import { texts } from '../text/texts.ts';
import type { Draft, Faults } from './draft.ts';
import { Field } from './field.tsx';

interface Part {
  draft: Draft;
  faults: Faults;
  onChange: (part: Partial<Draft>) => void;
}

/** How it goes: what is said first, who speaks, what is decided. */
export function MannerFields({ draft, faults, onChange }: Part) {
  return (
    <>
      <Field label={texts.start.opening} fault={faults['openingMessage']} class="across">
        {(attributes) => (
          <textarea
            {...attributes}
            rows={2}
            dir="auto"
            placeholder={texts.start.openingHint}
            value={draft.openingMessage}
            onInput={({ currentTarget }) => onChange({ openingMessage: currentTarget.value })}
          />
        )}
      </Field>
      <Choice
        label={texts.start.policy}
        fault={faults['turnPolicy'] ?? faults['turnPolicy.sides']}
        value={draft.policy}
        choices={texts.start.policies}
        onChoose={(policy) => onChange({ policy })}
      />
      <Choice
        label={texts.start.decision}
        fault={faults['decision']}
        value={draft.decision}
        choices={texts.start.decisions}
        onChoose={(decision) => onChange({ decision })}
      />
      {draft.decision === 'options' && (
        <Lines
          label={texts.start.options}
          fault={faults['decision.options']}
          value={draft.options}
          onChange={(options) => onChange({ options })}
        />
      )}
    </>
  );
}

/** When it ends, and what it may cost. */
export function EndFields({ draft, faults, onChange }: Part) {
  const number = (label: string, value: string, path: string, take: (value: string) => void) => (
    <Field label={label} fault={faults[path]}>
      {(attributes) => (
        <input
          {...attributes}
          inputMode="decimal"
          autocomplete="off"
          value={value}
          onInput={({ currentTarget }) => take(currentTarget.value.trim())}
        />
      )}
    </Field>
  );
  return (
    <fieldset class="ends">
      <legend>{texts.start.ends}</legend>
      {number(texts.start.maxTurns, draft.maxTurns, 'maxTurns', (maxTurns) => onChange({ maxTurns }))}
      {number(texts.start.minutes, draft.minutes, 'timeoutSeconds', (minutes) => onChange({ minutes }))}
      {number(texts.start.maxTokens, draft.maxTokens, 'termination.maxTotalTokens', (maxTokens) =>
        onChange({ maxTokens }),
      )}
      {number(texts.start.maxCost, draft.maxCost, 'termination.maxCostUsd', (maxCost) =>
        onChange({ maxCost }),
      )}
      <Lines
        label={texts.start.phrases}
        fault={faults['termination.phrases']}
        value={draft.phrases}
        onChange={(phrases) => onChange({ phrases })}
      />
      <label class="check across">
        <input
          type="checkbox"
          checked={draft.approval}
          onChange={({ currentTarget }) => onChange({ approval: currentTarget.checked })}
        />
        {texts.start.approval}
      </label>
    </fieldset>
  );
}

function Choice({
  label,
  fault,
  value,
  choices,
  onChoose,
}: {
  label: string;
  fault: string | undefined;
  value: string;
  choices: Record<string, string>;
  onChoose: (value: string) => void;
}) {
  return (
    <Field label={label} fault={fault}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
          {Object.entries(choices).map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function Lines({
  label,
  fault,
  value,
  onChange,
}: {
  label: string;
  fault: string | undefined;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <Field label={label} fault={fault} class="across">
      {(attributes) => (
        <textarea
          {...attributes}
          rows={2}
          dir="auto"
          value={value}
          onInput={({ currentTarget }) => onChange(currentTarget.value)}
        />
      )}
    </Field>
  );
}
