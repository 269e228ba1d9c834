import type { Sanitiser } from '../conversation/turn/attempt.ts';

// Control characters but tab and line feed; and what reverses the direction of the text around it
// (https://trojansource.codes/).
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const UNWANTED = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g;

// oxlint-disable-next-line no-control-regex -- as above
const CONTROLS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/g;

// What almost every piece is made of.
const HARMLESS = /^[\t\n\x20-\x7E]*$/;

/**
 * Takes from a model's text what could harm who reads it: control characters, changes of text direction,
 * halves of code points. Carriage returns become line feeds. It works on pieces as they stream, so that what
 * was shown is what is kept.
 *
 * @param keepsDirections whether changes of direction stay, since a guard deals with them
 */
export function createSanitiser(keepsDirections = false): Sanitiser {
  const unwanted = keepsDirections ? CONTROLS : UNWANTED;
  const clean = (text: string): string =>
    text.toWellFormed().replaceAll(/\r\n?/g, '\n').replaceAll(unwanted, '');
  let held = '';
  return {
    push(text) {
      if (held === '' && HARMLESS.test(text)) return text;
      let whole = held + text;
      held = '';
      const last = whole.charCodeAt(whole.length - 1);
      // The first half of a code point, or a carriage return, waits for what follows it.
      if ((last >= 0xd800 && last <= 0xdbff) || last === 0x0d) {
        held = whole.slice(-1);
        whole = whole.slice(0, -1);
      }
      return clean(whole);
    },
    end() {
      const rest = held;
      held = '';
      return clean(rest);
    },
  };
}
