/**
 * Tells an event from any that another history has under its seq: that one was written later, at another
 * millisecond. FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/, of its type and time; 8 hexadecimal digits.
 */
export function markOf({ type, at }: { type: string; at: string }): string {
  let hash = 0x811c9dc5;
  for (const text of [type, at]) {
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

const AT = '"at":"';

/** The mark of an event by its text in the log, without reading all of it: `seq`, `type` and `at` are written first. */
export function markOfEntry({ type, json }: { type: string; json: string }): string {
  const start = json.indexOf(AT) + AT.length;
  return markOf({ type, at: json.slice(start, json.indexOf('"', start)) });
}
