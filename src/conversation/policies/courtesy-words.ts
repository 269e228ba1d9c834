import { WordTable } from './word-table.ts';

/** What a word does in a courtesy; courtesies.ts says what that is for. */
export type CourtesyWord = 'turn' | 'courtesy' | 'filler' | 'polite';

/** Word lists by language, in lower case and without apostrophes. */
const words = (lists: Record<string, string>): readonly string[] =>
  Object.values(lists).flatMap((list) => list.split(/\s+/));

/** Words that turn a courtesy into an objection or a reason. */
const TURNS = words({
  english: 'but however although though because since unless except instead disagree wrong',
  german: 'aber jedoch obwohl weil sondern falsch',
  french: 'mais cependant parce car sauf faux',
  spanish: 'pero aunque porque sino excepto falso',
});

/** Thanks and their answers, agreement, farewell. */
const COURTESIES = words({
  english: `thank thanks thankful thankyou thx grateful gratitude appreciate appreciated appreciation welcome
    pleasure likewise honored honoured agree agreed agreement absolutely exactly indeed definitely totally
    precisely certainly concur point goodbye bye byebye farewell cheers goodnight care cya ciao ttyl admire
    conversation chat soon regards agreeable gratefully welcomed seeya godspeed mutual privilege`,
  german: `danke dank dankeschön bedanke danken dankbar gern gerne vergnügen freude einverstanden genau stimmt
    absolut tschüss tschüs tschau wiedersehen wiederhören gespräch liebe bald zustimmen stimme bedankt
    dankbarkeit`,
  french: `merci remercie remercions plaisir accord absolument exactement revoir bientôt adieu échange
    parfaitement reconnaissant reconnaissante soirée journée daccord bonsoir`,
  spanish: `gracias agradezco agradecido agradecida placer gusto acuerdo exacto exactamente totalmente
    absolutamente adiós luego pronto conversación charla cuídate cuídese abrazo igualmente agradecerte
    agradecerle`,
  others: `谢谢 谢谢你 非常感谢 不客气 不用谢 再见 我同意 同意 说得对 没错 ありがとう ありがとうございます
    どういたしまして さようなら こちらこそ またね おやすみなさい その通りです 감사합니다 천만에요 안녕히
    grazie prego arrivederci obrigado obrigada tchau спасибо пожалуйста свидания`,
  emoji: '👍 👋 🙏 😊 ❤ 💙 💚 💛 💜 💖 💕 🤝 🙌 👏 🎉 🤗 🥰 💯 🫶 🥳 👌',
});

/** Words that say nothing by themselves, whatever the topic. */
const FILLERS = words({
  english: `i im ive id ill you youre youve your yours me my mine we were weve our us it its that thats this these
    the a an is was are be been being am to of for in on with and so very much too also as at by from have
    has had having do does did done can could couldnt will would may might let lets please really just all
    any ever again always both here there theres now then ok okay yes yeah yep no not dont oh ah aw well
    right sure more most such what how if same every everyone each other another one some until till never
    go keep get make made myself yourself who quite only even than those about take takes taking took lot
    lots once out way ways best better great good nice said say saying saw seen tell think thinking thought
    bit little time times day days end today tonight ones thing things anyone cannot cant wont wouldnt isnt
    wasnt arent didnt hey hi hello sir madam haha hehe many between like want wanted come came going gone
    last still nothing add neither nor anymore goes everybody sometime hundred percent deal`,
  german: `ich du dir dich sie ihnen ihr ihre ihren euch wir uns unser mein dein der die das den dem des ein eine
    einen einem einer und auch sehr es ist war sind bin hat haben habe mit für von zu zum zur auf bis ja
    nein doch nur noch mal schon immer wieder etwas wie wirklich ganz alles jederzeit euer mir mich hier
    dann kann da aus bei ebenso gleichfalls dafür deine deinen ihrem werden wünsche gewesen hatte hatten
    wäre würde würden könnte möchte soll sollte muss sagen sage unsere unserem unseren dieses diese diesen
    dieser ob aller allem jeder jede hallo grüß ach sei seien waren vom beim ums gehts gibts man mehr viel
    viele vielleicht eben einfach dazu nichts gemacht nochmals ebenfalls hab nach komm hause`,
  french: `je tu il elle nous vous moi toi te le la les un une de à au aux et en ce cet cette cest ça mon ma mes
    ton ta tes votre vos notre nos est était été ai avez avons pour avec par sur dans oui non très bien
    tout tous toute aussi si plus encore toujours pas que qui vraiment ne rien même quel quelle jai dune
    dun jusquà soit sont beaucoup cétait suis sommes êtes étais étaient fois sest jétais javais serait sera
    ont aura peu quil lui leur leurs eux ci là donc trop monsieur madame cher chère`,
  spanish: `yo tú tus ti él ella nosotros usted ustedes mí mi lo los las el una unos del al y e o con por para fue
    ha sido era soy estoy está sí muy mucho mucha tan también qué todo todos nada hasta se su sus este esta
    esto cuando ya siempre más cada he han verdad estar estaba estuvo ser fueron hemos habéis sería será
    son somos sois muchos otra otro vez veces eso ese esa tanto tanta nuestro nuestra vuestro vuestra tuyo
    tuya vale pues sobre`,
});

/** What goes along with courtesies and says nothing new there: praise, good wishes, talk about the talk. */
const POLITE_WORDS = words({
  english: `thankfully appreciative pleased mention problem worries honor honour kindly kindness generous gracious
    touched anytime means mean meant heart agrees agreeing completely wholeheartedly entirely perfectly
    fully surely course points put true truly spot nailed wonderful lovely perfect excellent amazing
    fantastic brilliant awesome beautiful beautifully superb marvelous marvellous terrific delightful
    insightful thoughtful inspiring inspired inspiration enriching engaging valuable meaningful productive
    enlightening fruitful fascinating splendid incredible incredibly remarkable wise wisely eloquent
    eloquently stimulating rewarding enjoyable pleasant memorable sound sounds echo wow bravo cool
    sincerely deeply heartfelt immensely warm warmly thoroughly genuinely special rich richly sentiment
    sentiments feeling kind wishes evening night week weekend afternoon morning future next later forward
    look looking see meet meeting touch luck wish hope enjoy enjoyed enjoying happy glad delighted delight
    joy safe journey journeys adventures success rest ahead friend friends dear stay sweet dreams peace
    conversations discussion discussions dialogue exchange exchanges exchanging chats chatting talk talks
    talking sharing shared share insight insights thoughts idea ideas perspective perspectives views words
    wisdom company contributions contribution collaboration collaborating collaborate teamwork partner
    partnership exploring explore explored learned learning discussing discuss connecting connect together
    hearing anything else something need needed know feel free reach help helpful helped helping assist
    assistance support speaking experience opportunity moment engagement everything enthusiasm positivity
    energy spirit continue continuing business doing fun working works complete wishing sleep rested truth
    honestly deep depth profound tremendous exceptional outstanding phenomenal impressive thrilled
    thrilling cherish cherished treasure treasured value valued valuing respect respectful respected
    mindful gift blessing blessed humbled moved smile smiling laugh hug hugs cheer cheerful bright brighter
    uplifting encouraging encouragement positive mind minds wonderfully greatly highly extremely dearly
    endlessly eternally forever mutually likeminded aligned alignment page spoken voice resonate resonates
    resonated summary summed sum reflect reflections reflection reflecting paths cross crossed growth grow
    enrich enriched expressed expressing articulate articulated articulation input feedback effort efforts
    brilliance clarity clear clearly understanding understand understood patience trust loved love loving
    adore genuine endeavors endeavours brilliantly deserve deserved learn total board group work`,
  german: `bedanken geschehen bitte bitteschön bitten freut freue gefreut zustimmung richtig völlig vollkommen
    selbstverständlich natürlich klar super toll prima wunderbar großartig ausgezeichnet perfekt schön
    schöne schönen schönes gut gute guten gutes nächstes nächsten morgen tag abend nacht woche wochenende
    zeit austausch gedanken worte punkt gesagt recht mach machs machen machts kommen herzlich herzlichen
    herzlichst vielen tausend besten lieb nett freundlich ehre hoffe glück erfolg pass passt passen sonst
    kein keine ursache hoffentlich später nächste lass lasst danach zusammenarbeit angenehm angenehme
    angenehmen seite meinerseits unterhaltung gesprächspartner weg wege treffen sehen sieht seh hören höre
    hört meinung ansicht ansichten zustimme gleicher einig bewundere geschätzt schätze schätzen anregend
    anregende anregenden spannend bereichernd inspirierend inspirierende toller tolle tollen lieber liebes
    mühe hilfe geholfen unterstützung geduld herzen freundlichkeit höflichkeit wertvoll wertvolle
    wertvollen gelungen trefflich treffend formuliert ausgedrückt schlaf schlafen träum träume heute große
    großer großes wunderschön wunderschöne wunderschönen spaß interessant interessante interessantes`,
  french: `mille remercier grand partagé fait parfait parfaite excellente génial formidable magnifique raison
    prochaine prochain salut bonne bon belle beau nuit semaine fin échanges échanger idées pensées mots
    gentil gentille gentillesse tiens soin soins prends prenez chance continuation agréable heureux
    heureuse ravi ravie certainement effectivement évidemment dit mot souhaite merveilleux merveilleuse
    demain honneur agréables bonheur joie chaleureux chaleureusement sincèrement infiniment profondément
    enrichissant enrichissante inspirant inspirante passionnant passionnante riche belles beaux bons bonnes
    partage partager aide confiance amitié ami amie chers réflexion réflexions vision avis opinion ensemble
    rencontre hâte voir retrouver retrouverons dormez rêves vue parole paroles temps moments instant
    vivement plein pleinement appréciation apprécie apprécié aimable adorable passez portez`,
  spanish: `muchas mil agradecimiento precisamente claro cierto razón perfecto perfecta excelente genial estupendo
    maravilloso maravillosa fantástico fantástica mañana vemos próxima próximo buen buena buenas buenos día
    días tarde tardes noche noches semana intercambio amable amabilidad encantado encantada cuidate saludos
    suerte éxito feliz dicho punto completamente desde supuesto tengas tenga igual contigo compartir deseo
    deseos mejores hay mío mía agradable agradables alegría alegre sinceramente infinitamente profundamente
    enriquecedor enriquecedora inspirador inspiradora interesante valioso valiosa bonito bonita lindo linda
    hermoso hermosa compartido apoyo ayuda paciencia confianza amistad amigo amiga corazón palabras palabra
    reflexiones reflexión opinión vista tiempo momento momentos disfruté disfrutado disfruta disfrute
    descansa descanse sueños vernos veremos nuevo encuentro ocasión aprecio valoro bendiciones muchísimas
    grande beso besos descanses`,
  emoji: '🙂 😄 😃 😁 😀 ☺ 😍 ✨ 🌟 😇 😉 🌸 💐',
});

const all = (list: readonly string[], kind: CourtesyWord) => list.map((word) => [word, kind] as const);

/** All of them; of a word on several lists the last list here decides. */
export const COURTESY_WORDS = new WordTable<CourtesyWord>([
  ...all(POLITE_WORDS, 'polite'),
  ...all(COURTESIES, 'courtesy'),
  ...all(TURNS, 'turn'),
  ...all(FILLERS, 'filler'),
]);
