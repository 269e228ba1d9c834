/** Writes every conversation into a folder, as JSON lines that `aic import` takes. What is there already stays. */
import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { Writable } from 'node:stream';
import { connect } from './server.ts';

const client = connect();
const folder = process.argv[2] ?? 'exported';
mkdirSync(folder, { recursive: true });
let count = 0;
let cursor: string | undefined;
do {
  // What ended stays as it is; the cursor goes on behind it, whatever begins meanwhile.
  const page = await client.listConversations({ status: 'terminated', ...(cursor ? { cursor } : {}) });
  for (const { id } of page.items) {
    const path = `${folder}/${id}.jsonl`;
    if (!existsSync(path)) {
      const { body } = await client.export(id, 'jsonl');
      await body.pipeTo(Writable.toWeb(createWriteStream(`${path}.part`)));
      // Half of one never passes for the whole.
      renameSync(`${path}.part`, path);
    }
    console.log(`${path} ${statSync(path).size} bytes`);
    count++;
  }
  cursor = page.nextCursor ?? undefined;
} while (cursor !== undefined);
console.log(`${count} conversations`);
