import type { Conversation } from '../../client/types.ts';
import { texts } from '../text/texts.ts';
import { nextOf } from './roster.ts';
import type { Connection } from './talk.ts';

/** How a talk is, in a sentence. */
export function statusWords(
  conversation: Conversation | undefined,
  connection: Connection,
  speaker: string | undefined,
): string {
  if (connection === 'missing') return texts.talk.missing;
  if (connection === 'lost') return texts.talk.reconnecting;
  if (!conversation) return texts.talk.loading;
  const { status, termination, pause, turns, maxTurns, settings } = conversation;
  switch (status) {
    case 'queued':
      return texts.talk.queued;
    case 'terminated':
      return texts.talk.ended(texts.reasons[termination?.reason ?? 'user'] ?? '');
    case 'paused':
      if (pause?.for === 'human' && pause.agent) return texts.talk.waitsForHuman(pause.agent);
      if (pause?.for === 'approval' && pause.agent) return texts.talk.waitsForApproval(pause.agent);
      return texts.talk.waitsForUser;
    default: {
      const next = nextOf(conversation, speaker);
      const parts = [
        texts.talk.running,
        texts.talk.turnOf(Math.min(maxTurns, speaker === undefined ? turns : turns + 1), maxTurns),
        speaker !== undefined && texts.talk.speaking(speaker),
        settings.decision && turns >= maxTurns && texts.talk.deciding,
        next !== undefined && texts.talk.next(next),
      ];
      return parts.filter((part) => typeof part === 'string').join(' · ');
    }
  }
}
