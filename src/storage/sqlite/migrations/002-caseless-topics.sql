-- Topics are kept as searches see them (caseless.ts), so that one or two characters are looked for without
-- a call back for each topic.
UPDATE topics SET topic = fold(topic);
