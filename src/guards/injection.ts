import { type Match, markOf, type Scanner, settleOverlaps } from './scanner.ts';

/** Up to so many words between two that count. */
const words = (most: number): string => String.raw`(?:[\p{L}\p{N}'’-]{1,20}[\s,]{1,3}){0,${most}}`;
const WHAT =
  'instructions?|prompts?|rules|directions?|directives?|guidelines|commands?|orders|context|messages?|programming|training|constraints|restrictions|safeguards';
const BEFORE =
  'previous|prior|above|earlier|preceding|foregoing|initial|original|existing|current|system|developer|safety|former|past';

/**
 * Plain attempts to give an agent orders. Each pattern needs several words that have nothing to do with each other in
 * plain talk, and no more than a few words between them, so that it takes time in proportion to the text's length.
 */
const PATTERNS: readonly { kind: string; source: string }[] = [
  {
    kind: 'override',
    source: String.raw`\b(?:ignore|disregard|forget|override|bypass|neglect|skip|discard|do not follow|don['’]t follow|stop following|pay no attention to)\s{1,3}(?!my\b)${words(3)}(?:(?:${BEFORE})\s{1,3}${words(1)}(?:${WHAT})|(?:all|any|every|your)\s{1,3}(?:of\s(?:the|your)\s|the\s|your\s)?(?:instructions|prompts?|rules|guidelines|programming|training|safeguards|restrictions)|(?:instructions|prompts|rules|directions|guidelines|messages)\s{1,3}(?:above|before|given|you|so far|that came|preceding))\b`,
  },
  {
    kind: 'override',
    source: String.raw`\b(?:ignore|disregard|forget)\s{1,3}(?:everything|anything|all|what(?:ever)?)\s{1,3}(?:(?:that\s)?(?:you|i|we|they)(?:['’]ve|\shave|\swere|\shad)?\s{1,3}(?:been\s)?(?:told|learned|said|instructed|taught)|(?:said|written|stated|mentioned)?\s?(?:above|before this|up to now|prior to this|previously))\b`,
  },
  {
    kind: 'override',
    source: String.raw`\b(?:ignorier(?:e|t|en)?|missachte[nt]?|vergiss|vergesst|überschreibe)\s{1,3}${words(3)}(?:vorherigen?|bisherigen?|obigen?|früheren?|vorangegangenen?|ursprünglichen?|deine|alle)\s{1,3}${words(1)}(?:anweisung(?:en)?|instruktion(?:en)?|befehle?|regeln|vorgaben|prompts?)\b`,
  },
  {
    kind: 'override',
    source: String.raw`\b(?:ignore[zr]?|oublie[zr]?|néglige[zr]?|ne tiens pas compte de[s]?|ne tenez pas compte de[s]?)\s{1,3}${words(3)}(?:instructions?|consignes?|règles|directives|ordres)\s{1,3}(?:précédente?s?|antérieure?s?|ci-dessus|initiales?|que|d['’]avant)`,
  },
  {
    kind: 'override',
    source: String.raw`\b(?:ignor[ae]|ignora[rd]?|olvida|olvide|olvídate de|desatiende|haz caso omiso de)\s{1,3}${words(3)}(?:instrucciones|órdenes|reglas|indicaciones|instruções|regras|ordens|istruzioni|regole)\s{1,3}(?:anteriores?|previas?|de arriba|iniciales|precedenti|acima|prévias)`,
  },
  {
    kind: 'override',
    source: String.raw`(?:忽略|无视|無視|忘记|忘掉)[^。\n]{0,8}(?:之前|以前|先前|上面|以上|前面)[^。\n]{0,6}(?:指令|指示|提示|规则|命令|说明)|(?:これまで|以前|上記|前)の(?:指示|命令|ルール)を(?:すべて)?(?:無視|忘れ)|(?:игнорируй|забудь)(?:те)?\s{1,3}(?:все\s|всё\s)?(?:предыдущие|прежние|прошлые)\s{1,3}(?:инструкции|указания|команды)`,
  },
  {
    kind: 'reveal',
    source: String.raw`\b(?:reveal|show|print|repeat|output|display|leak|disclose|tell|give|recite|reproduce|dump|expose|send)\s{1,3}${words(3)}(?:your|the|its)\s{1,3}(?:(?:full|entire|exact|complete|secret|hidden|original|initial|confidential)\s{1,3}){0,2}(?:(?:system|developer|hidden|initial|secret)\s{1,3}(?:prompt|instructions?|message)|(?:instructions|prompt)\s{1,3}(?:verbatim|word for word|above))\b`,
  },
  {
    kind: 'reveal',
    source: String.raw`\b(?:zeige?|verrate|nenne|gib|wiederhole)\s{1,3}${words(3)}(?:system-?prompt|systemanweisung(?:en)?|geheimen? anweisungen)\b|\b(?:montre|révèle|affiche|répète)[zr]?\s{0,1}-?${words(4)}(?:prompt système|instructions système)\b`,
  },
  {
    kind: 'role',
    source: String.raw`\b(?:you\sare\snow|from\snow\son,?\s(?:you\s(?:are|will\s(?:be|act\sas))|act\sas)|act\sas|pretend\s(?:to\sbe|you\sare)|enter|enable|activate|switch\s(?:in)?to)\s{1,3}${words(3)}(?:DAN|jailbroken|unrestricted|unfiltered|uncensored|developer\smode|god\smode|jailbreak\smode|debug\smode|dan\smode|do\sanything\snow)\b`,
  },
  {
    kind: 'role',
    source: String.raw`\b(?:you\s(?:are|have)|with|act|answer|respond|operate)\s{1,3}${words(5)}(?:no|without|free\s(?:of|from)|not\sbound\sby)\s{1,3}${words(2)}(?:restrictions|filters|limitations|ethical\sguidelines|content\spolic(?:y|ies)|safety\sguidelines|moral\s(?:limits|guidelines))\b`,
  },
  {
    kind: 'markup',
    source: String.raw`<\|(?:im_start|im_end|system|user|assistant|endoftext|begin_of_text|start_header_id|eot_id)\|>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:system|sys|system_prompt|system_message)>|(?:^|\n)\s{0,3}#{1,4}\s{0,2}(?:system|new\sinstructions?|instruction\soverride)\s{0,2}:|\[(?:system|admin|developer)\s(?:override|message|prompt|note)\]|\b(?:BEGIN|END|START\sOF)\s(?:NEW\s)?SYSTEM\s(?:PROMPT|MESSAGE|INSTRUCTIONS)\b`,
  },
  {
    kind: 'markup',
    source: String.raw`(?:^|\n)\s{0,3}(?:system|admin|developer)(?:\s(?:message|override|prompt|notice))?\s{0,2}:\s{0,2}${words(6)}(?:ignore|disregard|override|you\s(?:must|are|will)|new\sinstructions?|obey|comply)\b`,
  },
  {
    kind: 'override',
    source: String.raw`\b(?:new|updated|real|actual|true|important)\s(?:system\s)?(?:instructions?|directives?|orders)\s(?:for\syou|follow|from\sthe\s(?:developer|admin|system)|override)|\byour\s(?:new|real|true|only|actual)\s(?:task|goal|purpose|instructions?|objective|mission|role)\s(?:is|are)\s(?:now\s)?to\b`,
  },
];

/** What each of them begins with: where none of these stands, nothing has to be looked at closely. */
const BEGINNINGS =
  /ignor|disregard|forget|overrid|bypass|neglect|skip|discard|(?:do not|don['’]t|stop) follow|pay no att|missacht|vergiss|vergesst|überschreib|oubli|néglig|ne t(?:iens|enez) pas|olv[ií]d|desatiend|haz caso|忽略|无视|無視|忘记|忘掉|これまで|以前|上記|前の|игнорируй|забудь|reveal|show|print|repeat|output|display|leak|disclos|tell|give|recit|reproduc|dump|expos|send|zeig|verrat|nenn|gib|wiederhol|montre|révèle|affiche|répète|you (?:are|have)|from now|act|pretend|enable|enter|switch|with|answer|respond|operate|<[|</s]|\[|\n|new |updated |real |true |important |your |begin |end |start of/gi;

/** In each of them, in small letters, stands one of these, rarer ones than what they begin with: a quick look. */
const NEEDED =
  /ignor|disregard|forget|overrid|bypass|neglect|discard|vergiss|vergesst|missacht|überschreib|oubli|néglig|ne t(?:iens|enez) pas|olv[ií]d|desatiend|haz caso|忽略|无视|無視|忘|игнорир|забудь|prompt|instruct|anweisung|directive|orders|rules|guideline|programming|training|safeguard|restrict|filters|limitation|polic|limits|\bdan\b|jailbr|unfilter|uncensor|[a-z] mode|anything now|<\||\[\/?inst|<<|<\/?sys|system|admin|developer|your (?:new|real|true|only|actual)/;

const PATTERN = new RegExp(PATTERNS.map(({ source }) => `(${source})`).join('|'), 'iuy');

/**
 * Attempts to give an agent orders: plain ones alone, with next to no false alarms; docs/guards.md says what it misses.
 * It looks at a text as a whole.
 */
export const injection: Scanner = {
  name: 'injection',
  mark: markOf,

  isHarmless(text) {
    return !NEEDED.test(text.toLowerCase());
  },

  scan(text, from = 0) {
    const matches: Match[] = [];
    const tryAt = (index: number): void => {
      PATTERN.lastIndex = index;
      const found = PATTERN.exec(text);
      if (!found || isQuoted(text, index)) return;
      const place = found.findIndex((group, at) => at > 0 && group !== undefined);
      matches.push({ from: index, to: index + found[0].length, kind: PATTERNS[place - 1]?.kind ?? '' });
    };
    tryAt(from);
    BEGINNINGS.lastIndex = from;
    for (let begin = BEGINNINGS.exec(text); begin; begin = BEGINNINGS.exec(text)) {
      tryAt(begin.index);
      BEGINNINGS.lastIndex = begin.index + 1;
    }
    return settleOverlaps(matches);
  },
};

/** Who writes about such orders quotes them, or says what they are. */
function isQuoted(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 48), at);
  if (/["'“”„«»‘’`*(]\s?$/u.test(before)) return true;
  if (/\b(?:you|please|must|should|now)\s(?:to|can|may|might|could|would)?\s?$/i.test(before)) return false;
  return /\b(?:such as|like|for example|e\.g\.,?|called|phrases?|says?|saying|said|to|that|can|could|may|might|not|never|who|would|attackers?|users?|they|people|we|he|she|models?)[\s:,]{1,2}$/i.test(
    before,
  );
}
