/** A text as searches see it, for which upper and lower case are the same. */
export function caseless(text: string): string {
  // Which small sigma a capital one becomes depends on its neighbours, which a search must not.
  return text.toLowerCase().replaceAll('ς', 'σ');
}
