import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { HeldError, StorageError } from '../storage-error.ts';

/**
 * Takes a folder for this process alone. The lock is one that the operating system holds for the process
 * (SQLite's own, on a file that holds nothing else), so that it is free again the moment the process is
 * gone, however it went; the file beside it only says who it is.
 *
 * @param holder one line for the next one who tries, such as the process id and the address
 * @throws HeldError that names the holder; StorageError where the folder can't be used
 */
export function lockDirectory(directory: string, holder: string): { release: () => void } {
  const holderFile = join(directory, 'holder.txt');
  try {
    makeDirectory(resolve(directory));
  } catch (error) {
    throw new StorageError(`DATA_DIR ${directory} can't be made: ${(error as Error).message}`);
  }
  let lock: Database.Database;
  try {
    lock = new Database(join(directory, 'lock.sqlite'), { timeout: 0 });
  } catch (error) {
    throw new StorageError(`DATA_DIR ${directory} can't be used: ${(error as Error).message}`);
  }
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
      throw new StorageError(`DATA_DIR ${directory} can't be locked: ${(error as Error).message}`);
    }
    throw new HeldError(`DATA_DIR ${directory} is held by ${readHolder(holderFile)}; one process per folder`);
  }
  try {
    writeFileSync(holderFile, `${holder}\n`);
  } catch (error) {
    lock.close();
    throw new StorageError(`DATA_DIR ${directory} can't be written: ${(error as Error).message}`);
  }
  return { release: () => lock.close() };
}

/** With those above it. Node's own `recursive` never ends where none can be made, such as within /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Unless another process was faster.
    if (!existsSync(path)) throw error;
  }
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'another process';
  } catch {
    return 'another process';
  }
}
