import type { WebhookStore } from '../../conversation/webhooks/store.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Secret } from '../../security/secrets.ts';
import type { Door } from '../../server/app.ts';
import type { DeliveryHappening } from './deliver.ts';
import { webhooksDoor } from './door.ts';
import type { Webhooks, WebhooksParts } from './webhooks.ts';

/** Where webhooks are kept. */
export interface WebhooksPlace {
  /** Whether there may be some from before. */
  mayBeThere: boolean;
  open: () => WebhookStore;
  /** A key that is made and kept where nobody else needs it; undefined where others do. */
  ownKey: () => Secret | undefined;
}

/** Webhooks that cost nothing until somebody asks for them, or where there are some from before. */
export interface LazyWebhooks {
  door: Door;
  /** Goes on with what was to be told. */
  start: () => void;
  close: () => Promise<void>;
}

/**
 * @param retrySeconds what is waited before each further try
 * @param timeoutSeconds what a try takes at most
 */
export function lazyWebhooks(
  place: WebhooksPlace,
  parts: Pick<WebhooksParts, 'feed' | 'log' | 'catalog' | 'key' | 'allowPrivate'> & {
    retrySeconds: readonly number[];
    timeoutSeconds: number;
    metrics: Pick<Metrics, 'webhookTried'>;
    logger: Logger;
  },
): LazyWebhooks {
  const log = parts.logger.child({ logger: 'webhooks' });
  const onTrouble = (error: unknown): void => {
    log.warn({ error }, 'webhooks.trouble');
  };
  const onHappening = ({ type, webhookId: webhook_id, delivery, lagMs }: DeliveryHappening): void => {
    parts.metrics.webhookTried(type, lagMs === undefined ? undefined : lagMs / 1000);
    const { conversationId: conversation_id, seq, attempts, error } = delivery;
    if (type === 'delivered') return;
    const fields = { webhook_id, conversation_id, seq, attempts, error };
    if (type === 'retried') log.info(fields, 'webhook.retried');
    else if (type === 'failed') log.warn(fields, 'webhook.failed');
    else log.warn(fields, 'webhook.disabled');
  };
  const make = async (): Promise<Webhooks> => {
    const module = await import('./webhooks.ts');
    return new module.Webhooks({
      ...parts,
      store: place.open(),
      key: parts.key ?? place.ownKey(),
      retryDelays: parts.retrySeconds.map((seconds) => seconds * 1000),
      answerMs: parts.timeoutSeconds * 1000,
      onHappening,
      onTrouble,
    });
  };
  let made: Promise<Webhooks> | undefined;
  const load = (): Promise<Webhooks> => {
    made ??= make();
    return made;
  };
  return {
    door: webhooksDoor(load),
    start() {
      if (place.mayBeThere) load().catch(onTrouble);
    },
    async close() {
      await (await made?.catch(() => undefined))?.close();
    },
  };
}
