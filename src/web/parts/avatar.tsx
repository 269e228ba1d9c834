import type { Conversation } from '../../client/types.ts';
import { initialsOf, toneOf } from '../talk/roster.ts';

/** A participant's sign: its letters in its colour. */
export function Avatar({
  name,
  conversation,
  isSpeaking = false,
}: {
  name: string;
  conversation: Conversation | undefined;
  isSpeaking?: boolean;
}) {
  return (
    <span class={`avatar ${toneOf(conversation, name)}${isSpeaking ? ' speaking' : ''}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
