import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

/** A file of the page, as it is served. */
export interface PageFile {
  body: Buffer;
  /** Undefined where it would not be smaller. */
  brotli: Buffer | undefined;
  type: string;
  etag: string;
}

const BUILT = fileURLToPath(new URL('../../../dist/page', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../web', import.meta.url));
const BUILDER = fileURLToPath(new URL('../../web/build.ts', import.meta.url));
/** What building takes at most, in milliseconds. */
const BUILD_WITHIN = 60_000;

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The files of the page by their path below it, `index.html` among them. In a clone whose page is missing, or older
 * than its sources, it is built first, by a process of its own.
 *
 * @throws Error where the page is not built and can't be
 */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  if (await isOutdated()) await promisify(execFile)(process.execPath, [BUILDER], { timeout: BUILD_WITHIN });
  const files = new Map<string, PageFile>();
  for (const path of await pathsIn(BUILT)) {
    const type = TYPES[extname(path)];
    if (type !== undefined) files.set(path, await pageFile(await readFile(join(BUILT, path)), type));
  }
  return files;
}

async function pageFile(body: Buffer, type: string): Promise<PageFile> {
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  const brotli = await promisify(brotliCompress)(body, { params: quality });
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { body, brotli: brotli.length < body.length ? brotli : undefined, type, etag };
}

async function isOutdated(): Promise<boolean> {
  const built = await stat(join(BUILT, 'index.html')).catch(() => undefined);
  // What is installed without its sources stays as it is.
  const sources = await pathsIn(SOURCES).catch(() => []);
  if (!built) return true;
  const changes = await Promise.all(sources.map((path) => stat(join(SOURCES, path))));
  return changes.some(({ mtimeMs }) => mtimeMs > built.mtimeMs) && (await isBuildable());
}

/** Where the packages are that build it. */
async function isBuildable(): Promise<boolean> {
  return stat(fileURLToPath(new URL('../../../node_modules/vite', import.meta.url))).then(
    () => true,
    () => false,
  );
}

async function pathsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
