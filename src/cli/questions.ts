import type { Client } from '../client/client.ts';
import { CommandError, EXIT } from './exit.ts';
import type { Template } from './templates.ts';

const MAX_TOPIC = 2000;
const MAX_TURNS = 10_000;

/**
 * Asks a person for what a request doesn't say yet. On standard error, so that standard output stays data.
 *
 * @throws CommandError where the person would rather not
 */
export async function askForTheRest(template: Template, client: Client): Promise<Template> {
  const { text, select, isCancel } = await import('@clack/prompts');
  const answered = (answer: string | symbol): string => {
    if (isCancel(answer) || typeof answer === 'symbol') throw new CommandError(EXIT.interrupted);
    return answer;
  };
  const output = process.stderr;
  const topic = answered(
    await text({
      output,
      message: 'What shall they talk about?',
      placeholder: 'Is a hot dog a sandwich?',
      validate: (value = '') => {
        if (value.trim() === '') return 'A topic, in a few words';
        return [...value].length > MAX_TOPIC ? `At most ${MAX_TOPIC} characters` : undefined;
      },
    }),
  );
  const asked: Template = { ...template, topic };
  if (template.scenario === undefined && template.agents === undefined) {
    const scenarios = await client.scenarios();
    const scenario = answered(
      await select({
        output,
        message: 'How?',
        options: [
          { value: '', label: 'Just talk' },
          ...scenarios.items.map(({ name, title, description }) => ({
            value: name,
            label: title,
            hint: description,
          })),
        ],
      }),
    );
    if (scenario !== '') asked.scenario = scenario;
  }
  if (template.maxTurns === undefined && asked.scenario === undefined) {
    const turns = answered(
      await text({
        output,
        message: 'For how many turns?',
        initialValue: '10',
        validate: (value = '') =>
          /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= MAX_TURNS
            ? undefined
            : `A whole number from 1 to ${MAX_TURNS.toLocaleString('en')}`,
      }),
    );
    asked.maxTurns = Number(turns);
  }
  return asked;
}
