/** UTF-8 bytes of a name without its extension: file systems take 255 in all. */
const LONGEST = 150;
/** What no file system, shell or header takes well: signs of paths, what can't be seen, and changes of direction. */
const UNFIT = /[\p{C}\p{Zl}\p{Zp}\\/:*?"<>|%]+/gu;
/** Names of devices on Windows, whatever their extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)$/i;

/** A name for a file, made from a topic. */
export function fileNameOf(topic: string, extension: string): string {
  const words = topic.normalize('NFC').replaceAll(UNFIT, ' ').replaceAll(/\s+/g, ' ');
  let name = '';
  let bytes = 0;
  for (const character of words) {
    bytes += Buffer.byteLength(character);
    if (bytes > LONGEST) break;
    name += character;
  }
  // A dot in front hides a file, and one at the end is dropped on Windows.
  name = name.replaceAll(/^[\s.~-]+|[\s.]+$/g, '');
  return `${name === '' || DEVICE.test(name) ? 'conversation' : name}.${extension}`;
}
