-- What trigrams are too long for: topics as their pairs of characters (topics.ts). A search for one character is
-- one for the beginning of a pair, which has an index of its own. Only the index is kept: the pairs can always be
-- made from the topic.
CREATE VIRTUAL TABLE topic_pairs USING fts5 (
  pairs, content = '', tokenize = 'ascii', prefix = 4, detail = none, columnsize = 0
);
INSERT INTO topic_pairs (topic_pairs, rank) VALUES ('secure-delete', 1);
INSERT INTO topic_pairs (rowid, pairs) SELECT rowid, pairs(topic) FROM topics;
