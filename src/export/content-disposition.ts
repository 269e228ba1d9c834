import { create } from 'content-disposition';

/** The header of a download, for clients of RFC 6266 and for older ones. */
export function contentDisposition(fileName: string): string {
  const header = create(fileName);
  // The library leaves it out where the name is plain ASCII.
  return header.includes('filename*=') ? header : `${header}; filename*=UTF-8''${encoded(fileName)}`;
}

/** https://www.rfc-editor.org/rfc/rfc8187#section-3.2 */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
