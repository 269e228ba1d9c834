import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
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
import { Secret } from '../../security/secrets.ts';

const FILE = 'webhooks.sqlite';
const KEY_FILE = 'webhooks.key';
interface WithJson {
  json: string;
}

/** Of a webhook that was removed meanwhile nothing is kept. */
const KNOWN = 'WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = :webhookId)';
const SCHEMA = new URL('./webhooks.sql', import.meta.url);

/**
 * Webhooks of one process, in a file of their own beside the log's, which is made with the first webhook: deliveries
 * write often, and the log's commits are not to wait for them. What is lost of it with the power, the last places, is
 * delivered again.
 */
export class SqliteWebhooks implements WebhookStore {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  /** @param folder that this process holds */
  constructor(folder: string) {
    this.#database = new Database(join(folder, FILE));
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('synchronous = NORMAL');
    this.#database.pragma('secure_delete = ON');
    this.#database.exec(readFileSync(SCHEMA, 'utf8'));
    // Whose hands these were is no more: one process holds the folder.
    this.#database.exec(
      'UPDATE places SET hand = NULL, due = 0 WHERE hand IS NOT NULL; UPDATE feed SET until = 0',
    );
  }

  /** Whether a folder has some. */
  static isIn(folder: string): boolean {
    return existsSync(join(folder, FILE));
  }

  close(): void {
    this.#database.close();
  }

  async create(webhook: StoredWebhook): Promise<'created' | 'full'> {
    const { id, tenant } = webhook;
    return this.#durably(() => {
      const count = this.#get('SELECT count(*) AS n FROM webhooks WHERE tenant = ?', tenant) as { n: number };
      if (count.n >= MOST_WEBHOOKS) return 'full';
      this.#run(
        'INSERT INTO webhooks (id, tenant, json) VALUES (?, ?, ?)',
        id,
        tenant,
        JSON.stringify(webhook),
      );
      return 'created';
    });
  }

  async get(tenant: TenantScope, id: string): Promise<StoredWebhook | undefined> {
    const row = this.#get('SELECT json FROM webhooks WHERE id = ?', id) as WithJson | undefined;
    const webhook = row && (JSON.parse(row.json) as StoredWebhook);
    return webhook && isOf(webhook, tenant) ? webhook : undefined;
  }

  async list(tenant: TenantScope): Promise<StoredWebhook[]> {
    const rows =
      tenant === EVERY_TENANT
        ? this.#json('SELECT json FROM webhooks ORDER BY id')
        : this.#json('SELECT json FROM webhooks WHERE tenant = ? ORDER BY id', tenant);
    return rows.map((json) => JSON.parse(json) as StoredWebhook);
  }

  async replace(webhook: StoredWebhook): Promise<boolean> {
    const json = JSON.stringify(webhook);
    return this.#durably(() => this.#run('UPDATE webhooks SET json = ? WHERE id = ?', json, webhook.id) > 0);
  }

  async delete(tenant: TenantScope, id: string): Promise<boolean> {
    if (!(await this.get(tenant, id))) return false;
    this.#durably(() => {
      for (const table of ['places', 'replays', 'deliveries']) {
        this.#run(`DELETE FROM ${table} WHERE webhook = ?`, id);
      }
      this.#run('DELETE FROM webhooks WHERE id = ?', id);
    });
    return true;
  }

  async holdFeed(hand: string, now: number, until: number): Promise<string | undefined | null> {
    return this.#together(() => {
      const taken = this.#run(
        `INSERT INTO feed (one, cursor, hand, until) VALUES (1, NULL, :hand, :until)
         ON CONFLICT (one) DO UPDATE SET hand = :hand, until = :until WHERE hand = :hand OR until <= :now`,
        { hand, now, until },
      );
      if (taken === 0) return null;
      return (this.#get('SELECT cursor FROM feed') as { cursor: string | null }).cursor ?? undefined;
    });
  }

  async noteFeed(
    hand: string,
    cursor: string,
    grown: readonly Grown[],
    removed: readonly string[],
  ): Promise<boolean> {
    return this.#together(() => {
      if (this.#run('UPDATE feed SET cursor = ? WHERE hand = ?', cursor, hand) === 0) return false;
      for (const { webhookId, conversationId, from, seq } of grown) {
        this.#run(
          `INSERT INTO places (webhook, conversation, position, grown, tries, due)
           SELECT :webhookId, :conversationId, :position, :seq, 0, 0 ${KNOWN}
           ON CONFLICT DO UPDATE SET grown = max(grown, excluded.grown),
             due = CASE WHEN excluded.grown > position THEN ifnull(due, 0) ELSE due END`,
          { webhookId, conversationId, position: from - 1, seq },
        );
      }
      for (const id of removed) {
        this.#run('DELETE FROM places WHERE conversation = ?', id);
        this.#run('DELETE FROM deliveries WHERE conversation = ?', id);
      }
      return true;
    });
  }

  async goBack(webhookId: string, conversationId: string, position: number, again: boolean): Promise<void> {
    this.#run(
      `INSERT INTO places (webhook, conversation, position, grown, tries, due) SELECT :webhookId, :conversationId,
         :position, :grown, 0, 0 ${KNOWN}
       ON CONFLICT DO UPDATE SET grown = max(grown, :grown),
         due = CASE WHEN :again AND position > :position THEN 0 ELSE ifnull(due, 0) END,
         hand = CASE WHEN :again AND position > :position THEN NULL ELSE hand END,
         tries = CASE WHEN :again AND position > :position THEN 0 ELSE tries END,
         position = CASE WHEN :again THEN min(position, :position) ELSE position END`,
      { webhookId, conversationId, position, grown: position + 1, again: again ? 1 : 0 },
    );
  }

  async replays(): Promise<Replay[]> {
    return this.#json('SELECT json FROM replays').map((json) => JSON.parse(json) as Replay);
  }

  async saveReplay(replay: Replay): Promise<void> {
    const json = JSON.stringify(replay);
    this.#durably(() =>
      this.#run('INSERT OR REPLACE INTO replays (webhook, json) VALUES (?, ?)', replay.webhookId, json),
    );
  }

  async endReplay(webhookId: string): Promise<void> {
    this.#run('DELETE FROM replays WHERE webhook = ?', webhookId);
  }

  async claim(hand: string, now: number, until: number, most: ReadonlyMap<string, number>): Promise<Place[]> {
    return this.#together(() => {
      const claimed: Place[] = [];
      for (const [webhookId, limit] of most) {
        const rows = this.#all(
          `SELECT conversation AS conversationId, position, tries FROM places
           WHERE webhook = ? AND due <= ? ORDER BY due LIMIT ?`,
          webhookId,
          now,
          limit,
        ) as Omit<Place, 'webhookId'>[];
        for (const row of rows) {
          const { conversationId } = row;
          this.#run(
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

  async settle(hand: string, place: Place, settlement: Settlement): Promise<boolean> {
    const key = { hand, webhook: place.webhookId, conversation: place.conversationId };
    const mine = 'WHERE webhook = :webhook AND conversation = :conversation AND hand = :hand';
    switch (settlement.type) {
      case 'gone':
        return this.#run(`DELETE FROM places ${mine}`, key) > 0;
      case 'moved': {
        const { position, until } = settlement;
        const set = 'SET position = :position, tries = 0, due = :until, grown = max(grown, :position)';
        return this.#run(`UPDATE places ${set} ${mine}`, { ...key, position, until }) > 0;
      }
      case 'resting': {
        const { position } = settlement;
        const set =
          'SET position = :position, tries = 0, hand = NULL, due = CASE WHEN grown > :position THEN 0 ELSE NULL END';
        return this.#run(`UPDATE places ${set} ${mine}`, { ...key, position }) > 0;
      }
      case 'retrying': {
        const { position, tries, at } = settlement;
        const set = 'SET position = :position, tries = :tries, hand = NULL, due = :at';
        return this.#run(`UPDATE places ${set} ${mine}`, { ...key, position, tries, at }) > 0;
      }
      default:
        return settlement satisfies never;
    }
  }

  async nextDue(webhookIds: readonly string[]): Promise<number | undefined> {
    const sql = 'SELECT min(due) AS due FROM places WHERE webhook IN (SELECT value FROM json_each(?))';
    return (this.#get(sql, JSON.stringify(webhookIds)) as { due: number | null }).due ?? undefined;
  }

  async noteDelivery(webhookId: string, delivery: Delivery): Promise<void> {
    this.#together(() => {
      const { id, conversationId } = delivery;
      this.#run('DELETE FROM deliveries WHERE webhook = ? AND id = ?', webhookId, id);
      this.#run(
        `INSERT INTO deliveries (webhook, id, conversation, json)
         SELECT :webhookId, :id, :conversationId, :json ${KNOWN}`,
        { webhookId, id, conversationId, json: JSON.stringify(delivery) },
      );
      this.#run(
        `DELETE FROM deliveries WHERE webhook = :webhook AND key <=
           (SELECT key FROM deliveries WHERE webhook = :webhook ORDER BY key DESC LIMIT 1 OFFSET :kept)`,
        { webhook: webhookId, kept: KEPT_DELIVERIES },
      );
    });
  }

  async deliveries(webhookId: string): Promise<Delivery[]> {
    return this.#json('SELECT json FROM deliveries WHERE webhook = ? ORDER BY key DESC', webhookId).map(
      (json) => JSON.parse(json) as Delivery,
    );
  }

  /** As one, and on disk when it is done: what a client was told is kept also without power. */
  #durably<T>(work: () => T): T {
    this.#database.pragma('synchronous = FULL');
    try {
      return this.#together(work);
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }

  #together<T>(work: () => T): T {
    return this.#database.transaction(work)();
  }

  #prepared(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: unknown[]): number {
    return this.#prepared(sql).run(...values).changes;
  }

  #get(sql: string, ...values: unknown[]): unknown {
    return this.#prepared(sql).get(...values);
  }

  #json(sql: string, ...values: unknown[]): string[] {
    return (this.#all(sql, ...values) as WithJson[]).map(({ json }) => json);
  }

  #all(sql: string, ...values: unknown[]): unknown[] {
    return this.#prepared(sql).all(...values);
  }
}

/** The key of a folder's own that its webhooks' secrets are sealed by; it is made where there is none. */
export function keyIn(folder: string): Secret {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path)) {
    writeFileSync(path, `${randomBytes(32).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
  }
  return new Secret(readFileSync(path, 'utf8').trim());
}

function isOf({ tenant }: StoredWebhook, asked: TenantScope): boolean {
  return asked === EVERY_TENANT || tenant === asked;
}
