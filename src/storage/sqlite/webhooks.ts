import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EVERY_TENANT, type TenantScope } from '../../conversation/log/log.ts';
import {
  type Grown,
  KEPT_DELIVERIES,
  MOST_WEBHOOKS,
  type Place,
  type Replay,
  type Settlement,
  type StoredWebhook,
  type WebhookStore,
} from '../../conversation/webhooks/store.ts';
import type { Delivery } from '../../protocol/webhooks.ts';
import { WebhooksFile } from './webhooks-file.ts';

const FILE = 'webhooks.sqlite';

/** Of a webhook that was removed meanwhile nothing is kept. */
const KNOWN = 'WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = :webhookId)';
/** In the place of tries: the conversation has ended, and all of it was told. */
const OVER = -1;

/**
 * Webhooks of one process, in a file of their own beside the log's, which is made with the first webhook: deliveries
 * write often, and the log's commits are not to wait for them. What is lost of it with the power, the last places, is
 * delivered again.
 */
export class SqliteWebhooks implements WebhookStore {
  readonly #file: WebhooksFile;

  /** @param folder that this process holds */
  constructor(folder: string) {
    this.#file = new WebhooksFile(join(folder, FILE));
  }

  /** Whether a folder has some. */
  static isIn(folder: string): boolean {
    return existsSync(join(folder, FILE));
  }

  close(): void {
    this.#file.close();
  }

  async create(webhook: StoredWebhook): Promise<'created' | 'full'> {
    const { id, tenant } = webhook;
    return this.#file.durably(() => {
      const count = this.#file.get('SELECT count(*) AS n FROM webhooks WHERE tenant = ?', tenant) as {
        n: number;
      };
      if (count.n >= MOST_WEBHOOKS) return 'full';
      this.#file.run(
        'INSERT INTO webhooks (id, tenant, json) VALUES (?, ?, ?)',
        id,
        tenant,
        JSON.stringify(webhook),
      );
      return 'created';
    });
  }

  async get(tenant: TenantScope, id: string): Promise<StoredWebhook | undefined> {
    const [json] = this.#file.json('SELECT json FROM webhooks WHERE id = ?', id);
    const webhook = json === undefined ? undefined : (JSON.parse(json) as StoredWebhook);
    return webhook && isOf(webhook, tenant) ? webhook : undefined;
  }

  async list(tenant: TenantScope): Promise<StoredWebhook[]> {
    const rows =
      tenant === EVERY_TENANT
        ? this.#file.json('SELECT json FROM webhooks ORDER BY id')
        : this.#file.json('SELECT json FROM webhooks WHERE tenant = ? ORDER BY id', tenant);
    return rows.map((json) => JSON.parse(json) as StoredWebhook);
  }

  async replace(webhook: StoredWebhook): Promise<boolean> {
    const json = JSON.stringify(webhook);
    return this.#file.durably(
      () => this.#file.run('UPDATE webhooks SET json = ? WHERE id = ?', json, webhook.id) > 0,
    );
  }

  async delete(tenant: TenantScope, id: string): Promise<boolean> {
    if (!(await this.get(tenant, id))) return false;
    this.#file.durably(() => {
      for (const table of ['places', 'replays', 'deliveries']) {
        this.#file.run(`DELETE FROM ${table} WHERE webhook = ?`, id);
      }
      this.#file.run('DELETE FROM webhooks WHERE id = ?', id);
    });
    return true;
  }

  async holdFeed(hand: string, now: number, until: number): Promise<string | undefined | null> {
    return this.#file.together(() => {
      const taken = this.#file.run(
        `INSERT INTO feed (one, cursor, hand, until) VALUES (1, NULL, :hand, :until)
         ON CONFLICT (one) DO UPDATE SET hand = :hand, until = :until WHERE hand = :hand OR until <= :now`,
        { hand, now, until },
      );
      if (taken === 0) return null;
      return (this.#file.get('SELECT cursor FROM feed') as { cursor: string | null }).cursor ?? undefined;
    });
  }

  async noteFeed(
    hand: string,
    cursor: string,
    grown: readonly Grown[],
    removed: readonly string[],
  ): Promise<boolean> {
    return this.#file.together(() => {
      if (this.#file.run('UPDATE feed SET cursor = ? WHERE hand = ?', cursor, hand) === 0) return false;
      for (const { webhookId, conversationId, from, seq } of grown) {
        const place = this.#file.get(
          `INSERT INTO places (webhook, conversation, position, grown, tries, due)
           SELECT :webhookId, :conversationId, :position, :seq, 0, 0 ${KNOWN}
           ON CONFLICT DO UPDATE SET grown = max(grown, excluded.grown),
             due = CASE WHEN excluded.grown > position THEN ifnull(due, 0) ELSE due END
           RETURNING tries`,
          { webhookId, conversationId, position: from - 1, seq },
        ) as { tries: number } | undefined;
        if (place?.tries === OVER) this.#forgetOver(webhookId, conversationId);
      }
      for (const id of removed) {
        this.#file.run('DELETE FROM places WHERE conversation = ?', id);
        this.#file.run('DELETE FROM deliveries WHERE conversation = ?', id);
      }
      return true;
    });
  }

  async goBack({ webhookId, conversationId, from, seq }: Grown, again: boolean): Promise<void> {
    const position = from - 1;
    this.#file.run(
      `INSERT INTO places (webhook, conversation, position, grown, tries, due) SELECT :webhookId, :conversationId,
         :position, :grown, 0, 0 ${KNOWN}
       ON CONFLICT DO UPDATE SET grown = max(grown, :grown),
         due = CASE WHEN :again AND position > :position THEN 0 ELSE ifnull(due, 0) END,
         hand = CASE WHEN :again AND position > :position THEN NULL ELSE hand END,
         tries = CASE WHEN :again AND position > :position THEN 0 ELSE max(tries, 0) END,
         position = CASE WHEN :again THEN min(position, :position) ELSE position END`,
      { webhookId, conversationId, position, grown: seq, again: again ? 1 : 0 },
    );
  }

  async replays(): Promise<Replay[]> {
    return this.#file.json('SELECT json FROM replays').map((json) => JSON.parse(json) as Replay);
  }

  async saveReplay(replay: Replay): Promise<void> {
    const json = JSON.stringify(replay);
    this.#file.durably(() =>
      this.#file.run('INSERT OR REPLACE INTO replays (webhook, json) VALUES (?, ?)', replay.webhookId, json),
    );
  }

  async endReplay(webhookId: string): Promise<void> {
    this.#file.run('DELETE FROM replays WHERE webhook = ?', webhookId);
  }

  async claim(hand: string, now: number, until: number, most: ReadonlyMap<string, number>): Promise<Place[]> {
    return this.#file.together(() => {
      const claimed: Place[] = [];
      for (const [webhookId, limit] of most) {
        const rows = this.#file.all(
          `SELECT conversation AS conversationId, position, max(tries, 0) AS tries FROM places
           WHERE webhook = ? AND due <= ? ORDER BY due LIMIT ?`,
          webhookId,
          now,
          limit,
        ) as Omit<Place, 'webhookId'>[];
        for (const row of rows) {
          const { conversationId } = row;
          this.#file.run(
            'UPDATE places SET hand = ?, due = ? WHERE webhook = ? AND conversation = ?',
            hand,
            until,
            webhookId,
            conversationId,
          );
          claimed.push({ webhookId, ...row });
        }
      }
      return claimed;
    });
  }

  async settle(hand: string, place: Place, settlement: Settlement, delivery?: Delivery): Promise<boolean> {
    return await this.#file.shared(() => {
      if (delivery) this.#note(place.webhookId, delivery);
      return this.#settle(hand, place, settlement);
    });
  }

  #settle(hand: string, { webhookId, conversationId }: Place, settlement: Settlement): boolean {
    const key = { hand, webhookId, conversationId };
    const mine = 'WHERE webhook = :webhookId AND conversation = :conversationId AND hand = :hand';
    if (settlement.type === 'gone') return this.#file.run(`DELETE FROM places ${mine}`, key) > 0;
    const { position } = settlement;
    const put = (columns: string, values: object = {}): boolean =>
      this.#file.run(`UPDATE places SET position = :position, ${columns} ${mine}`, {
        ...key,
        position,
        ...values,
      }) > 0;
    const rests = 'hand = NULL, due = CASE WHEN grown > :position THEN 0 ELSE NULL END';
    switch (settlement.type) {
      case 'moved':
        return put('tries = 0, due = :until', { until: settlement.until });
      case 'resting':
        return put(`tries = 0, ${rests}`);
      case 'over': {
        const isMine = put(`tries = ${OVER}, ${rests}`);
        if (isMine) this.#forgetOver(webhookId, conversationId);
        return isMine;
      }
      case 'retrying': {
        const { tries, at } = settlement;
        return put('tries = :tries, hand = NULL, due = :at', { tries, at });
      }
      default:
        return settlement satisfies never;
    }
  }

  /** Once the feed has told of the end as well, it can't have what was told begin anew. */
  #forgetOver(webhookId: string, conversationId: string): void {
    this.#file.run(
      `DELETE FROM places WHERE webhook = ? AND conversation = ? AND tries = ${OVER} AND grown = position`,
      webhookId,
      conversationId,
    );
  }

  async nextDue(webhookIds: readonly string[]): Promise<number | undefined> {
    const sql = 'SELECT min(due) AS due FROM places WHERE webhook IN (SELECT value FROM json_each(?))';
    return (this.#file.get(sql, JSON.stringify(webhookIds)) as { due: number | null }).due ?? undefined;
  }

  async noteDelivery(webhookId: string, delivery: Delivery): Promise<void> {
    await this.#file.shared(() => this.#note(webhookId, delivery));
  }

  #note(webhookId: string, delivery: Delivery): void {
    const { id, conversationId } = delivery;
    // What it replaces stands behind what came meanwhile: its key is new.
    this.#file.run(
      `INSERT OR REPLACE INTO deliveries (webhook, id, conversation, json)
       SELECT :webhookId, :id, :conversationId, :json ${KNOWN}`,
      { webhookId, id, conversationId, json: JSON.stringify(delivery) },
    );
    this.#file.run(
      `DELETE FROM deliveries WHERE webhook = :webhookId AND key <=
         (SELECT key FROM deliveries WHERE webhook = :webhookId ORDER BY key DESC LIMIT 1 OFFSET :kept)`,
      { webhookId, kept: KEPT_DELIVERIES },
    );
  }

  async deliveries(webhookId: string): Promise<Delivery[]> {
    return this.#file
      .json('SELECT json FROM deliveries WHERE webhook = ? ORDER BY key DESC', webhookId)
      .map((json) => JSON.parse(json) as Delivery);
  }
}

function isOf({ tenant }: StoredWebhook, asked: TenantScope): boolean {
  return asked === EVERY_TENANT || tenant === asked;
}
