import { useId } from 'preact/hooks';
import type { ProviderStatus } from '../../client/types.ts';
import { texts } from '../text/texts.ts';
import type { AgentDraft, Faults } from './draft.ts';
import { Field } from './field.tsx';
import { Choice } from './parameter-fields.tsx';

const MOST_AGENTS = 16;
let lastKey = 0;

/** Who is to talk: provider, model, name and persona of each. */
export function AgentFields({
  agents,
  providers,
  faults,
  onChange,
}: {
  agents: readonly AgentDraft[];
  providers: readonly ProviderStatus[];
  faults: Faults;
  onChange: (agents: AgentDraft[]) => void;
}) {
  const change = (key: number, part: Partial<AgentDraft>): void =>
    onChange(agents.map((agent) => (agent.key === key ? { ...agent, ...part } : agent)));
  const add = (): void => {
    const added =
      agents.length === 0 ? [newAgent(providers, 0), newAgent(providers, 1)] : [newAgent(providers, 0)];
    onChange([...agents, ...added]);
  };
  return (
    <fieldset class="agents">
      <legend>{texts.start.agents}</legend>
      {agents.length === 0 && <p class="hint">{texts.start.agentsHint}</p>}
      {agents.map((agent, index) => (
        <AgentField
          key={agent.key}
          agent={agent}
          title={texts.start.agent(index + 1)}
          providers={providers}
          faultOf={(field) => faults[`agents.${index}.${field}`]}
          onChange={(part) => change(agent.key, part)}
          onRemove={() => onChange(agents.filter(({ key }) => key !== agent.key))}
        />
      ))}
      {faults['agents'] && <p class="fault">{faults['agents']}</p>}
      {agents.length < MOST_AGENTS && (
        <button type="button" onClick={add}>
          {texts.start.addAgent}
        </button>
      )}
    </fieldset>
  );
}

function newAgent(providers: readonly ProviderStatus[], index: number): AgentDraft {
  const configured = providers.filter(({ configured, id }) => configured && id !== 'human');
  const vendors = configured.filter(({ id }) => id !== 'embedded');
  const choice = vendors.length > 0 ? vendors : configured;
  lastKey += 1;
  const provider = choice[index % Math.max(1, choice.length)]?.id ?? '';
  return {
    key: lastKey,
    provider,
    model: '',
    name: '',
    instructions: '',
    temperature: '',
    maxOutputTokens: '',
    speaks: '',
  };
}

function AgentField({
  agent,
  title,
  providers,
  faultOf,
  onChange,
  onRemove,
}: {
  agent: AgentDraft;
  title: string;
  providers: readonly ProviderStatus[];
  faultOf: (field: string) => string | undefined;
  onChange: (part: Partial<AgentDraft>) => void;
  onRemove: () => void;
}) {
  const id = useId();
  const chosen = providers.find((provider) => provider.id === agent.provider);
  const isHuman = agent.provider === 'human';
  return (
    <div class="agent-fields" role="group" aria-label={title}>
      <Field label={texts.start.name} fault={faultOf('name')}>
        {(attributes) => (
          <input
            {...attributes}
            value={agent.name}
            dir="auto"
            onInput={({ currentTarget }) => onChange({ name: currentTarget.value })}
          />
        )}
      </Field>
      <Field label={texts.start.provider} fault={faultOf('provider')}>
        {(attributes) => (
          <select
            {...attributes}
            value={agent.provider}
            onChange={({ currentTarget }) => onChange({ provider: currentTarget.value, model: '' })}
          >
            {providers
              .filter((provider) => provider.id !== 'human')
              .map((provider) => (
                <option key={provider.id} value={provider.id} disabled={!provider.configured}>
                  {provider.id} {provider.configured ? '' : texts.start.notConfigured}
                </option>
              ))}
            <option value="human">{texts.start.human}</option>
          </select>
        )}
      </Field>
      {!isHuman && (
        <Field label={texts.start.model} fault={faultOf('model')}>
          {(attributes) => (
            <>
              <input
                {...attributes}
                list={`${id}models`}
                value={agent.model}
                placeholder={chosen?.defaultModel ?? texts.start.byDefault}
                onInput={({ currentTarget }) => onChange({ model: currentTarget.value })}
              />
              <datalist id={`${id}models`}>
                {chosen?.models?.map((model) => (
                  <option key={model} value={model} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      )}
      <button
        type="button"
        class="quiet remove"
        aria-label={texts.start.remove(agent.name || title)}
        onClick={onRemove}
      >
        ×
      </button>
      {!isHuman &&
        (['temperature', 'maxOutputTokens'] as const).map((field) => (
          <Field key={field} label={texts.start[field]} fault={faultOf(field)}>
            {(attributes) => (
              <input
                {...attributes}
                inputMode="decimal"
                autocomplete="off"
                placeholder={texts.start.byDefault}
                value={agent[field]}
                onInput={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
              />
            )}
          </Field>
        ))}
      <Choice
        label={texts.start.speaks}
        fault={faultOf('speaks')}
        value={agent.speaks}
        choices={texts.start.speaksWhen}
        onChoose={(speaks) => onChange({ speaks })}
      />
      {!isHuman && (
        <Field label={texts.start.persona} fault={faultOf('instructions')} class="persona">
          {(attributes) => (
            <textarea
              {...attributes}
              rows={2}
              dir="auto"
              value={agent.instructions}
              onInput={({ currentTarget }) => onChange({ instructions: currentTarget.value })}
            />
          )}
        </Field>
      )}
    </div>
  );
}
