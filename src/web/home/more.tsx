import type { ProviderStatus } from '../../client/types.ts';
import { texts } from '../text/texts.ts';
import { AgentFields } from './agents.tsx';
import type { Draft, Faults } from './draft.ts';
import { Field } from './field.tsx';
import { Choice, ParameterFields } from './parameter-fields.tsx';
import { DECISION, ENDS, type Parameter, POLICY, RUNNING } from './parameters.ts';
import { WorstCase } from './worst-case.tsx';

/** All that a topic can do without. */
export function More(given: {
  draft: Draft;
  faults: Faults;
  providers: readonly ProviderStatus[];
  onChange: (part: Partial<Draft>) => void;
}) {
  const { draft, faults, providers, onChange } = given;
  const group = (title: string, parameters: readonly Parameter[]) => (
    <fieldset class="parameters">
      <legend>{title}</legend>
      <ParameterFields {...given} parameters={parameters} />
    </fieldset>
  );
  return (
    <>
      <AgentFields
        agents={draft.agents}
        providers={providers}
        faults={faults}
        onChange={(agents) => onChange({ agents })}
      />
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
      <fieldset class="parameters">
        <legend class="for-ears">{texts.start.policy}</legend>
        <Choice
          label={texts.start.policy}
          fault={faults['turnPolicy']}
          value={draft.policy}
          choices={texts.start.policies}
          onChoose={(policy) => onChange({ policy })}
        />
        <ParameterFields {...given} parameters={POLICY[draft.policy] ?? []} />
      </fieldset>
      <fieldset class="parameters">
        <legend class="for-ears">{texts.start.decision}</legend>
        <Choice
          label={texts.start.decision}
          fault={faults['decision']}
          value={draft.decision}
          choices={texts.start.decisions}
          onChoose={(decision) => onChange({ decision })}
        />
        <ParameterFields {...given} parameters={DECISION[draft.decision] ?? []} />
      </fieldset>
      {group(texts.start.ends, ENDS)}
      {group(texts.start.running, RUNNING)}
      <WorstCase draft={draft} providers={providers} />
    </>
  );
}
