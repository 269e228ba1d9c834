import { type Fault, invalid } from '../../errors.ts';
import type { FilledRequest } from '../scenarios/apply.ts';
import { blockedBy, type Guard, type GuardFinding, type Looked, together } from './guard.ts';

/** Texts of a request by their dotted paths; what is undefined isn't there. */
export type GivenTexts = Readonly<Record<string, string | undefined>>;

/** What guards made of the texts of a request. */
export interface Passed {
  /** A text as it may pass, by its path. */
  readonly texts: ReadonlyMap<string, string>;
  readonly found: readonly GuardFinding[];
}

/** Told of all that was found, also in what is refused. */
export type Tell = (found: readonly GuardFinding[]) => void;

/**
 * Looks at the texts of a request, all at the same time.
 *
 * @throws AppError `validation_failed` that names what is blocked, and by which scanner
 */
export async function lookAtTexts(guard: Guard, given: GivenTexts, tell: Tell): Promise<Passed> {
  const entries = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const distinct = [...new Set(entries.map(([, text]) => text))];
  const looks = await Promise.all(distinct.map((text) => guard.look(text, NEVER)));
  const lookedAt = new Map<string, Looked>(looks.map((looked, index) => [distinct[index] ?? '', looked]));
  const found = together(...looks.map((looked) => looked.found));
  if (found.length > 0) tell(found);
  const faults: Fault[] = [];
  const texts = new Map<string, string>();
  for (const [path, text] of entries) {
    const looked = lookedAt.get(text);
    if (looked?.isBlocked) {
      faults.push({ path, message: `is blocked by the scanner ${blockedBy(looked.found)}` });
    } else if (looked?.text.trim() === '') {
      faults.push({ path, message: 'is empty but for what the guards take out' });
    }
    texts.set(path, looked?.text ?? text);
  }
  if (faults.length > 0) throw invalid(faults);
  return { texts, found };
}

/** Whatever looks has a bound of its own. */
const NEVER = new AbortController().signal;

/** Looks at all texts of a request for a conversation. @throws AppError as lookAtTexts */
export async function lookAtRequest(
  guard: Guard,
  request: FilledRequest,
  tell: Tell,
): Promise<{ request: FilledRequest; found: readonly GuardFinding[] }> {
  const given: Record<string, string> = {};
  withTexts(request, (path, text) => {
    given[path] = text;
    return text;
  });
  const { texts, found } = await lookAtTexts(guard, given, tell);
  return { request: withTexts(request, (path, text) => texts.get(path) ?? text), found };
}

interface Spoken {
  name?: string | undefined;
  instructions?: string | undefined;
}

/** A request with every text in it replaced; a name also where others refer to it. */
function withTexts(request: FilledRequest, of: (path: string, text: string) => string): FilledRequest {
  const maybe = (path: string, text: string | undefined): string | undefined =>
    text === undefined ? undefined : of(path, text);
  const agent = <Agent extends Spoken>(given: Agent, path: string): Agent => ({
    ...given,
    name: maybe(`${path}.name`, given.name),
    instructions: maybe(`${path}.instructions`, given.instructions),
  });
  const { agents, decision, turnPolicy, termination } = request;
  const changed: FilledRequest = {
    ...request,
    topic: of('topic', request.topic),
    openingMessage: maybe('openingMessage', request.openingMessage),
    agents: agents?.map((each, index) => agent(each, `agents.${index}`)),
  };
  if (decision?.type === 'judge') {
    changed.decision = {
      ...decision,
      judge: agent(decision.judge, 'decision.judge'),
      rubric: decision.rubric.map((each, index) => ({
        ...each,
        name: of(`decision.rubric.${index}.name`, each.name),
        description: of(`decision.rubric.${index}.description`, each.description),
      })),
    };
  } else if (decision) {
    changed.decision = { ...decision, question: maybe('decision.question', decision.question) };
    if (decision.type === 'vote' && changed.decision?.type === 'vote') {
      changed.decision.options = decision.options?.map((option, index) =>
        of(`decision.options.${index}`, option),
      );
    }
  }
  if (turnPolicy?.type === 'moderator') {
    changed.turnPolicy = { ...turnPolicy, moderator: agent(turnPolicy.moderator, 'turnPolicy.moderator') };
  }
  const names = renamings(agents ?? [], changed.agents ?? []);
  if (names.size === 0) return changed;
  changed.turnPolicy = renamed(changed.turnPolicy, names) as FilledRequest['turnPolicy'];
  changed.termination = termination && {
    ...termination,
    when: renamed(termination.when, names) as typeof termination.when,
  };
  return changed;
}

function renamings(before: readonly Spoken[], after: readonly Spoken[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [index, { name }] of before.entries()) {
    const now = after[index]?.name;
    if (name !== undefined && now !== undefined && now !== name) names.set(name, now);
  }
  return names;
}

/** With the new names wherever the old ones stand, also as the names of fields. */
function renamed(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((each) => renamed(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [names.get(name) ?? name, renamed(inner, names)]),
  );
}
