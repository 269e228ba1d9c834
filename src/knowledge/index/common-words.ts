/**
 * Words that most sentences and questions have, as the index has them: folded, and Chinese in pairs. They tell little
 * of what a text is about, however rarely a collection has them. Chosen by hand for the languages of the retrieval set.
 */
const ENGLISH =
  'a an the of in on at to for from by with as is are was were be been it its this that these those and or not no do does did ' +
  'has have had he she they we you i his her their our your my what which who whom whose when where why how much many can ' +
  'could may might will would shall should there than then so if into about over after before between out up down also more ' +
  'most some any each other one';
const GERMAN =
  'der die das den dem des ein eine einen einem einer eines und oder nicht kein keine ist sind war waren wird werden wurde ' +
  'wurden hat haben hatte hatten er sie es wir ihr ich man sich sein seine seinen seiner ihre ihren ihrer in im an am auf aus ' +
  'bei beim mit nach von vom vor zu zum zur uber unter durch fur um als wie was wer wen wem wo wann warum wieso welche welcher ' +
  'welches welchen welchem wieviel viel viele kann konnen konnte muss darf soll noch nur auch so dass wenn ob da dann doch';
const CHINESE = '的 了 是 在 有 和 与 吗 呢 几 个 什么 怎么 多少 哪里 为什';

const COMMON: ReadonlySet<string> = new Set([ENGLISH, GERMAN, CHINESE].join(' ').split(' '));

export function isCommon(word: string): boolean {
  return COMMON.has(word);
}
