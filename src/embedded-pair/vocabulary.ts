/** The few hundred English words that the grammar of topics and echoes turns on. */
const set = (...lines: readonly string[]): ReadonlySet<string> => new Set(lines.join(' ').split(' '));

export const MODALS = set('should shall can could will would must may might');
export const BE = set('is are was were');
export const AUXILIARIES: ReadonlySet<string> = new Set([
  ...MODALS,
  ...BE,
  ...set('do does did has have had'),
]);
export const QUESTION_WORDS = set('what why how when where who which whose whom');
export const PRONOUNS = set('i we you he she they it one there everyone everybody anyone nobody people');
export const DETERMINERS = set(
  'the a an my your our their his her its this that these those every each all some any no',
);

export const PREPOSITIONS = set(
  'of to in on at by for with from about into over under against between without within through during before',
  'after since until like than as towards toward upon versus vs via per among across behind beyond',
);

/** Words without a meaning of their own; no aspect of a topic and no end of one. */
export const FUNCTION_WORDS = set(
  'the a an and or but nor so if then else that this these those there here it its he him his she her they them',
  'their we us our ours you your yours i me my mine myself one ones who whom whose which what when where why how',
  'of to in on at by for with from about into over under against between without within through during before',
  'after since until like than as towards toward upon versus vs via per among across behind beyond be am is are',
  'was were been being do does did done doing have has had having would shall should can could may might must',
  'not no nor only own same too very just also ever never always more most less least much many few some any all',
  'each every both either neither other another such again still yet really quite rather please let lets next',
  'nobody somebody something anything nothing everything everybody everyone anybody someone anyone none',
  "don't doesn't didn't isn't aren't won't can't cannot couldn't shouldn't wouldn't really actually because while",
);

/** Verbs in the form that follows "should" or "does". */
export const BASE_VERBS = set(
  'be have do go get make take give keep let put set run see say tell ask think know believe feel want need like',
  'love hate use work play pay buy sell own learn teach study read write speak talk listen hear watch look find',
  'lose win help hurt harm kill save spend cost eat drink sleep dream live die exist matter mean become remain stay',
  'leave come move travel walk drive fly build create destroy replace change improve solve cause lead follow bring',
  'allow ban stop start begin end continue vote rule govern regulate tax fund share publish open close hide show',
  'protect trust fear worry fight marry raise grow choose decide prefer deserve understand explain prove test try',
  'count accept reject support oppose adopt abolish legalize legalise colonize colonise invest require force prevent',
  'purr bark swim sing dance cook wear clean stand sit wait return survive evolve affect influence limit treat',
);

/** Frequent one-word topics, so that "Coffee" becomes "coffee" and "Paris" stays. */
export const COMMON_NOUNS = set(
  'coffee tea love life death time money work music art science history school war peace food cheese bread pizza cats',
  'dogs cat dog birds horses books book games game chess football sports sport weather rain snow winter summer spring',
  'autumn children parents friends family home houses cities city nature climate oceans ocean space stars tabs spaces',
  'code software hardware computers robots machines data privacy law laws crime truth lies beauty sleep dreams dream',
  'fear anger trust health sugar chocolate wine beer pineapple bananas remote open public private free good bad big',
  'small old new modern artificial social nuclear renewable universal electric human animal language languages words',
  'maths math mathematics poetry film films television taxes tax wages cars trains bicycles bikes travel holidays',
  'hello hi education philosophy religion ethics faith hope luck fame power sleepless silence noise colour color colors memory',
  'consciousness intelligence democracy testing tests unit functional type types static dynamic fast slow quantum',
);

/** Plurals and other names that look like nouns but keep their capital. */
export const PROPER_PLURALS = set(
  'mars venus uranus paris texas athens brussels naples james charles thomas socrates jesus christmas windows',
  'kubernetes postgres los las laos wales honduras cyprus illinois kansas france florence',
);

export const NOUN_ENDING =
  /(?:tion|sion|ity|ism|ness|ment|ology|ics|cracy|ship|hood|dom|ance|ence|ware|ing|graphy|sophy|[^aiu]s)$/u;
