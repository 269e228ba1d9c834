/** A conversation as a file. */
export interface Download {
  /** Undefined where the server names none. */
  fileName: string | undefined;
  contentType: string;
  /** As it comes. */
  body: ReadableStream<Uint8Array>;
}

export type ExportFormat = 'json' | 'jsonl' | 'markdown' | 'html' | 'csv';

export function downloadOf({ headers, body }: Response): Download {
  return {
    fileName: fileNameIn(headers.get('content-disposition') ?? ''),
    contentType: headers.get('content-type') ?? 'application/octet-stream',
    body: body ?? new ReadableStream({ start: (controller) => controller.close() }),
  };
}

/** The name in a header as RFC 6266 has it; the one in UTF-8 wins. */
function fileNameIn(disposition: string): string | undefined {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1];
  try {
    if (encoded !== undefined) return decodeURIComponent(encoded);
  } catch {
    // The plain one is left.
  }
  return /filename="((?:[^"\\]|\\.)*)"/i.exec(disposition)?.[1]?.replaceAll(/\\(.)/g, '$1');
}
