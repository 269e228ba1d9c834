import { z } from 'zod';

/** What a conversation can be downloaded as; docs/protocol.md, section 2.9. */
const exportFormat = z.enum(
  ['json', 'jsonl', 'markdown', 'html', 'csv'],
  'takes json, jsonl, markdown, html or csv',
);

/** Of GET /conversations/{id}/export. */
export const exportQuery = z.object({ format: exportFormat.default('json') });

export type ExportFormat = z.infer<typeof exportFormat>;
