import { invalid } from '../../errors.ts';
import type { GuardFinding } from '../../protocol/guard.ts';
import type { Draft } from '../log/draft.ts';
import { defined, foundIn, type MessageEvent, resumedEvent } from '../log/events.ts';
import { HUMAN, MODERATOR } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import { addConsequences } from '../turn/consequences.ts';
import { conflict, type Doing, type Hand } from './hand.ts';

/** What a person says; docs/protocol.md, section 10.2. */
export interface Saying {
  content: string;
  sender?: string | undefined;
  role?: 'human' | 'moderator' | undefined;
  visibleTo?: readonly string[] | undefined;
  interrupt?: boolean | undefined;
  /** What guards found in it. */
  found?: readonly GuardFinding[] | undefined;
}

/**
 * Says something: as a person who watches, as the moderator, or as the human agent that is waited for, whose turn
 * it is then (10.3).
 */
export function say(saying: Saying): Hand {
  return (draft, doing) => {
    const { state } = draft;
    const awaited = state.pause?.for === 'human' ? state.pause.agent : undefined;
    const { role = 'human' } = saying;
    const sender = saying.sender ?? (role === 'moderator' ? MODERATOR : (awaited ?? HUMAN));
    const isTurn = role === 'human' && sender === awaited;
    checkSender(state, sender, role, isTurn);
    checkVisibility(state, saying.visibleTo);
    const turn = state.turns + (isTurn ? 1 : 0);
    draft.add(messageOf(draft.nextSeq, { ...saying, sender, role, turn }, doing));
    if (isTurn) addWhatFollows(draft, doing.at);
  };
}

function checkSender({ settings }: ConversationState, sender: string, role: string, isTurn: boolean): void {
  const fault = (message: string) => invalid([{ path: 'sender', message }]);
  const agent = settings.agents.find(({ name }) => name === sender);
  if (agent && agent.provider !== 'human') throw fault('is the name of an agent that a model plays');
  if (agent && role === 'moderator') throw fault('is the name of an agent, who is no moderator');
  if (sender === MODERATOR && role !== 'moderator')
    throw fault('is the name of the moderator: say so with role');
  if (agent && !isTurn) throw conflict(`It is not ${sender}'s turn; another name can speak at any time`);
}

function checkVisibility({ settings }: ConversationState, visibleTo: Saying['visibleTo']): void {
  const names = settings.agents.map(({ name }) => name);
  const faults = (visibleTo ?? []).flatMap((name, index) =>
    names.includes(name) ? [] : [{ path: `visibleTo.${index}`, message: `is none of ${names.join(', ')}` }],
  );
  if (faults.length > 0) throw invalid(faults);
}

function messageOf(
  seq: number,
  said: Saying & { sender: string; role: 'human' | 'moderator'; turn: number },
  { at: now, key, request }: Doing,
): MessageEvent {
  const at = now.toISOString();
  const { turn, sender, role, content, visibleTo, interrupt, found = [] } = said;
  return {
    seq,
    type: 'message',
    at,
    // In front, where the live side looks for it.
    ...(interrupt ? { interrupt: true } : {}),
    message: {
      seq,
      turn,
      sender,
      role,
      content,
      timestamp: at,
      metadata: foundIn(found),
      ...(visibleTo ? { visibleTo: [...visibleTo] } : {}),
    },
    ...defined({ key, request }),
  };
}

/** Adds the end that a person's turn calls for, or that the talk goes on behind it. */
function addWhatFollows(draft: Draft, at: Date): void {
  addConsequences(draft, at);
  const { status, pause } = draft.state;
  const isWaitOver = status === 'paused' && pause?.for === 'human';
  if (isWaitOver) draft.add(resumedEvent(draft.nextSeq, at, { by: 'user' }));
}
