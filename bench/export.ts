/**
 * What a long export takes of the server's memory: `npm run bench:export`, with as many messages as are said behind it (by
 * default 100,000). In each format one conversation of so many is downloaded, and beside it, from a server that was started
 * anew, one of 100 messages until as much was written; the peak of the resident memory of either.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExportFormat } from '../src/protocol/export.ts';
import { writeArchive } from './harness/archive.ts';
import { startServer } from './harness/processes.ts';

const MESSAGES = Number(process.argv[2] ?? 100_000);
const FEW = 100;
const MEBIBYTE = 1024 * 1024;
const FORMATS: readonly ExportFormat[] = ['json', 'jsonl', 'markdown', 'html', 'csv'];

interface Exported {
  /** Bytes that were read. */
  bytes: number;
  /** Of the resident memory, in bytes. */
  before: number;
  peak: number;
}

/** A field of the process's status, in bytes: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
function statusOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kibibytes = ''] =
    new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

async function download(url: string): Promise<number> {
  const response = await fetch(url);
  if (!response.ok || response.body === null) throw new Error(`${url}: ${response.status}`);
  let bytes = 0;
  for await (const chunk of response.body) bytes += chunk.byteLength;
  return bytes;
}

/** Exports a folder's only conversation again and again until so many bytes were read. */
async function exported(folder: string, id: string, format: ExportFormat, least: number): Promise<Exported> {
  await using cleanup = new AsyncDisposableStack();
  const { url, pid } = await startServer(cleanup, folder);
  const path = `${url}/conversations/${id}`;
  // What writes the format is loaded when it is first asked for.
  if (least > 0) await download(`${path}/export?format=${format}`);
  else await download(`${path}/messages?limit=100`);
  const before = statusOf(pid, 'VmRSS');
  // Sets the peak to what there is now.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  let bytes = 0;
  do bytes += await download(`${path}/export?format=${format}`);
  while (bytes < least);
  return { bytes, before, peak: statusOf(pid, 'VmHWM') };
}

const folders = [MESSAGES, FEW].map((turns) => {
  const folder = mkdtempSync(join(tmpdir(), 'aic-export-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [id = ''] = writeArchive(folder, { conversations: 1, turns, bytes: 300, ended: true }).ids;
  return { folder, id };
});
const [many, few] = folders;
if (!many || !few) throw new Error('there is nothing to export');
for (const format of FORMATS) {
  const long = await exported(many.folder, many.id, format, 0);
  const short = await exported(few.folder, few.id, format, long.bytes);
  const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(0);
  console.log(
    `${format}: ${mebibytes(long.bytes)} MB; peak of ${MESSAGES} messages ${mebibytes(long.peak)} MB ` +
      `(${mebibytes(long.before)} before), of ${FEW} again and again ${mebibytes(short.peak)} MB (${mebibytes(short.before)} before)`,
  );
}
console.log(
  `load ${loadavg()
    .map((each) => each.toFixed(1))
    .join(' ')}`,
);
