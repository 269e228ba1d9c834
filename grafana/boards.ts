import { conversations } from './boards/conversations.ts';
import { overview } from './boards/overview.ts';
import { process } from './boards/process.ts';
import { providers } from './boards/providers.ts';
import { readers } from './boards/readers.ts';
import { storage } from './boards/storage.ts';
import { type Board, dashboardOf } from './dashboard.ts';

/** All dashboards; `npm run dashboards` writes them. */
export const BOARDS: readonly Board[] = [overview, providers, conversations, readers, storage, process];

/** A dashboard's file as it has to be. */
export function fileOf(board: Board): string {
  return `${JSON.stringify(dashboardOf(board), null, 1)}\n`;
}
