import type { Happening } from '../conversation/happenings.ts';
import type { Logger } from './logger.ts';

/** Writes what happens in conversations to the log (docs/logs.md); no text of a message, at any level. */
export function createJournal(logger: Logger): (happening: Happening) => void {
  const log = logger.child({ logger: 'orchestrator' });
  return (happening) => {
    const conversation_id = happening.conversationId;
    switch (happening.type) {
      case 'conversation.started':
        return log.info({ conversation_id, waited: happening.waitedMs / 1000 }, 'conversation.started');
      case 'conversation.resumed':
        return log.info({ conversation_id, turn: happening.turns }, 'conversation.resumed');
      case 'attempt.started': {
        if (!log.isLevelEnabled('debug')) return undefined;
        const { provider, model, turn, id } = happening.attempt;
        const waited = happening.waitedMs / 1000;
        return log.debug({ conversation_id, provider, model, turn, attempt: id, waited }, 'attempt.started');
      }
      case 'attempt.succeeded': {
        if (!log.isLevelEnabled('debug')) return undefined;
        const { provider, model, turn, id } = happening.attempt;
        const { inputTokens = 0, outputTokens = 0, latencyMs = 0 } = happening.answer.metadata;
        const tokens = inputTokens + outputTokens;
        const fields = { conversation_id, provider, model, turn, attempt: id };
        return log.debug({ ...fields, tokens, latency: latencyMs / 1000 }, 'attempt.succeeded');
      }
      case 'attempt.failed': {
        const { provider, model, turn, id } = happening.attempt;
        const { code, message, status } = happening.error;
        const latency = happening.latencyMs / 1000;
        const retry_in = happening.retryInMs === null ? null : happening.retryInMs / 1000;
        const fields = { conversation_id, provider, model, turn, attempt: id, latency, retry_in };
        return log.warn({ ...fields, error_type: code, error: message, status }, 'attempt.failed');
      }
      case 'attempt.abandoned': {
        const { provider, model, turn, id } = happening.attempt;
        const latency = happening.latencyMs / 1000;
        const fields = { conversation_id, provider, model, turn, attempt: id, latency };
        return log.info({ ...fields, why: happening.why }, 'attempt.abandoned');
      }
      case 'attempt.repeated':
        // The metric says how often; nothing is wrong.
        return;
      case 'turn.fell_back': {
        const { turn, agent, from, to, why } = happening;
        return log.warn({ conversation_id, turn, agent, from, to, why }, 'turn.fell_back');
      }
      case 'turn.taken': {
        const { turn, metadata } = happening.event.message;
        const { provider, model, inputTokens = 0, outputTokens = 0, latencyMs = 0 } = metadata;
        const tokens = inputTokens + outputTokens;
        return log.info(
          { conversation_id, provider, model, turn, tokens, latency: latencyMs / 1000 },
          'turn.taken',
        );
      }
      case 'call.charged': {
        const { provider, model, inputTokens = 0, outputTokens = 0, costUsd: cost = null } = happening.call;
        const tokens = inputTokens + outputTokens;
        return log.debug({ conversation_id, provider, model, tokens, cost }, 'call.charged');
      }
      case 'guard.found':
        return log.info({ conversation_id, found: happening.found }, 'guard.found');
      case 'knowledge.looked_up': {
        const { turn, passages, degraded, failed, milliseconds } = happening;
        const fields = { conversation_id, turn, passages, degraded, latency: milliseconds / 1000 };
        if (failed) return log.warn(fields, 'knowledge.not_searched');
        return log.debug(fields, 'knowledge.looked_up');
      }
      case 'conversation.paused': {
        const { for: reason, agent } = happening.event;
        return log.info({ conversation_id, for: reason, agent }, 'conversation.paused');
      }
      case 'conversation.unpaused': {
        const waited = happening.pausedMs / 1000;
        return log.info({ conversation_id, for: happening.for, waited }, 'conversation.unpaused');
      }
      case 'speaker.chosen': {
        const { agent, by, turn } = happening.event;
        return log.debug({ conversation_id, agent, by, turn }, 'speaker.chosen');
      }
      case 'ballot.cast': {
        const { agent, choice } = happening.event;
        return log.debug({ conversation_id, agent, valid: choice !== null }, 'ballot.cast');
      }
      case 'outcome.reached': {
        const { type: kind, winner } = happening.event;
        return log.info({ conversation_id, kind, decided: winner !== null }, 'outcome.reached');
      }
      case 'turn.decided': {
        const { turn, decision } = happening.event;
        return log.info({ conversation_id, turn, decision }, 'turn.decided');
      }
      case 'conversation.nudged':
        return log.info({ conversation_id, kind: happening.event.kind }, 'conversation.nudged');
      case 'conversation.ended': {
        const { reason, detail, by } = happening.ending;
        return log.info({ conversation_id, reason, detail, by, turn: happening.turns }, 'conversation.ended');
      }
    }
  };
}
