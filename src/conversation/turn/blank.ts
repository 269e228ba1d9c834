// White space, and what has no width and no ink: U+2800 is a blank of Braille.
const BLANK = /^[\s\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]*$/u;

/** A quick look, which almost every text passes. */
const INK = /[!-~]/;

/** Whether a text is empty to the eye. */
export function isBlank(text: string): boolean {
  return !INK.test(text) && BLANK.test(text);
}
