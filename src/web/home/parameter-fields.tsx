import type { ProviderStatus } from '../../client/types.ts';
import { texts } from '../text/texts.ts';
import type { Draft, Faults } from './draft.ts';
import { Field } from './field.tsx';
import type { Parameter } from './parameters.ts';

/** One field for each of what can be set. */
export function ParameterFields({
  parameters,
  draft: { values },
  faults,
  providers,
  onChange,
}: {
  parameters: readonly Parameter[];
  draft: Draft;
  faults: Faults;
  providers: readonly ProviderStatus[];
  onChange: (part: Partial<Draft>) => void;
}) {
  return (
    <>
      {parameters.map((parameter) => (
        <ParameterField
          key={parameter.path}
          parameter={parameter}
          value={values[parameter.path] ?? ''}
          fault={faultAt(faults, parameter.path)}
          providers={providers}
          onInput={(value) => onChange({ values: { ...values, [parameter.path]: value } })}
        />
      ))}
    </>
  );
}

/** The server may name a part of what the field has. */
function faultAt(faults: Faults, path: string): string | undefined {
  const found = Object.keys(faults).find((each) => each === path || each.startsWith(`${path}.`));
  return found === undefined ? undefined : faults[found];
}

function ParameterField({
  parameter: { path, control, usual },
  value,
  fault,
  providers,
  onInput,
}: {
  parameter: Parameter;
  value: string;
  fault: string | undefined;
  providers: readonly ProviderStatus[];
  onInput: (value: string) => void;
}) {
  const label = texts.start.labels[path] ?? path;
  const placeholder = texts.start.hints[path] ?? (usual === undefined ? '' : texts.start.usual(usual));
  if (control === 'flag') {
    return (
      <label class="check across">
        <input
          type="checkbox"
          checked={(value || usual) === 'yes'}
          onChange={({ currentTarget }) => onInput(currentTarget.checked ? 'yes' : 'no')}
        />
        {label}
      </label>
    );
  }
  if (control === 'line' || control === 'lines') {
    const Control = control === 'line' ? 'input' : 'textarea';
    return (
      <Field label={label} fault={fault} class={control === 'line' ? '' : 'across'}>
        {(attributes) => (
          <Control
            {...attributes}
            {...(control === 'line' ? { autocomplete: 'off' } : { rows: 2 })}
            dir="auto"
            placeholder={placeholder}
            value={value}
            onInput={({ currentTarget }) => onInput(currentTarget.value)}
          />
        )}
      </Field>
    );
  }
  const choices =
    control === 'provider'
      ? Object.fromEntries([
          ['', texts.start.byDefault],
          ...providers.filter(({ configured, id }) => configured && id !== 'human').map(({ id }) => [id, id]),
        ])
      : control;
  return <Choice label={label} fault={fault} value={value} choices={choices} onChoose={onInput} />;
}

export function Choice({
  label,
  fault,
  value,
  choices,
  onChoose,
}: {
  label: string;
  fault?: string | undefined;
  value: string;
  choices: Readonly<Record<string, string>>;
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
