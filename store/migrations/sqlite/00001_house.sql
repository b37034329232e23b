-- +goose Up
-- Times are milliseconds since 1970, UTC. 0 = never.

-- What arrived, as it was recorded.
CREATE TABLE events (
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  dedup       TEXT,              -- tells repeats apart; NULL = every arrival is new
  digest      BLOB,              -- of the content: the same dedup with another digest is refused
  received_at INTEGER NOT NULL,
  told        TEXT,              -- what was noted on its arrival (JSON), or NULL
  content_ref TEXT NOT NULL DEFAULT '', -- the blob that holds a mail's raw bytes
  body        BLOB NOT NULL,     -- as received, or the envelope of a mail
  content     BLOB               -- a mail's raw bytes while they are few
);
CREATE UNIQUE INDEX events_dedup ON events (dedup) WHERE dedup IS NOT NULL;

-- The highest ids there ever were: none is used twice.
CREATE TABLE sequences (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  event INTEGER NOT NULL,
  job   INTEGER NOT NULL
);
INSERT INTO sequences (one, event, job) VALUES (1, 0, 0);

-- A lane is a row while it has open jobs. A lease is a due time in the future. While a
-- quiet window is open (due_at < cap_at) due_at may be too early: whoever finds the lane
-- due asks its jobs, and moves it.
CREATE TABLE lanes (
  number INTEGER PRIMARY KEY,
  lane   TEXT NOT NULL UNIQUE,
  due_at INTEGER NOT NULL,
  cap_at INTEGER NOT NULL,       -- due_at never moves beyond
  fence  INTEGER NOT NULL DEFAULT 0, -- 0 = nobody's; else the owner's token
  poked  TEXT NOT NULL DEFAULT ''   -- kind of job that was poked while the lane was worked
);
CREATE INDEX lanes_due ON lanes (due_at);

-- Open jobs, lane by lane. Inside a lane they are handled by id.
CREATE TABLE jobs (
  lane     INTEGER NOT NULL,     -- its number
  id       INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  event_id INTEGER NOT NULL DEFAULT 0,
  args     BLOB,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at   INTEGER NOT NULL,
  cap_at   INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (lane, id)
) WITHOUT ROWID;

-- Jobs that were given up, for an operator to look at and replay.
CREATE TABLE dead_jobs (
  id       INTEGER PRIMARY KEY,
  lane     TEXT NOT NULL,
  kind     TEXT NOT NULL,
  event_id INTEGER NOT NULL DEFAULT 0,
  args     BLOB,
  attempts INTEGER NOT NULL,
  died_at  INTEGER NOT NULL,
  reason   TEXT NOT NULL
);

CREATE TABLE people (
  user_id        TEXT PRIMARY KEY,
  email          TEXT NOT NULL,
  name           TEXT NOT NULL DEFAULT '',
  locale         TEXT NOT NULL DEFAULT '',
  time_zone      TEXT NOT NULL DEFAULT '',
  stopped        TEXT NOT NULL DEFAULT '',
  stopped_detail TEXT NOT NULL DEFAULT '',
  stopped_at     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE conversations (
  id         INTEGER PRIMARY KEY,
  platform   TEXT NOT NULL,
  channel    TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  subject    TEXT NOT NULL,       -- constant: mail programs thread by it
  root_id    TEXT NOT NULL,       -- the synthetic first Message-ID of the thread
  UNIQUE (platform, channel)
);

CREATE TABLE participants (
  id                INTEGER PRIMARY KEY,  -- random: it stands in the reply address
  conversation_id   INTEGER NOT NULL,
  user_id           TEXT NOT NULL,
  muted_at          INTEGER NOT NULL DEFAULT 0,
  revoked_at        INTEGER NOT NULL DEFAULT 0,
  own_read_at       INTEGER NOT NULL DEFAULT 0,  -- when we last moved his read mark
  own_read_upto     INTEGER NOT NULL DEFAULT 0,  -- newest message that mark was meant to cover
  own_delivered_upto INTEGER NOT NULL DEFAULT 0,
  created_at        INTEGER NOT NULL,
  UNIQUE (conversation_id, user_id)
);

CREATE TABLE deliveries (
  id             TEXT PRIMARY KEY,  -- begins with the time
  participant_id INTEGER NOT NULL,
  state          INTEGER NOT NULL,
  message_id     TEXT NOT NULL,      -- id, "@" and a domain; stored before the call
  provider_id    TEXT NOT NULL DEFAULT '',
  recipient      TEXT NOT NULL,
  newest_at      INTEGER NOT NULL,   -- creation of the newest chat message it carries
  created_at     INTEGER NOT NULL,
  attempted_at   INTEGER NOT NULL DEFAULT 0,
  accepted_at    INTEGER NOT NULL DEFAULT 0,
  delivered_at   INTEGER NOT NULL DEFAULT 0,
  opened_at      INTEGER NOT NULL DEFAULT 0,
  answered_at    INTEGER NOT NULL DEFAULT 0,
  failed_at      INTEGER NOT NULL DEFAULT 0,
  detail         TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- What was sent (JSON), files by reference. Apart from the rest, which is written anew with
-- each state.
CREATE TABLE delivery_contents (
  delivery_id TEXT PRIMARY KEY,
  content     BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX deliveries_participant ON deliveries (participant_id, newest_at);

-- How many deliveries are in which state: whoever writes a state counts it in the same
-- transaction.
CREATE TABLE delivery_counts (
  state INTEGER PRIMARY KEY,
  n     INTEGER NOT NULL
);

-- Which chat message went to whom in which mail: once, ever.
CREATE TABLE mailed (
  participant_id INTEGER NOT NULL,
  message_id     TEXT NOT NULL,
  delivery_id    TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (participant_id, message_id)
) WITHOUT ROWID;
CREATE INDEX mailed_delivery ON mailed (delivery_id);

-- What is true now of messages that were edited or deleted.
CREATE TABLE revisions (
  platform   TEXT NOT NULL,
  channel    TEXT NOT NULL,
  message_id TEXT NOT NULL,
  removed    INTEGER NOT NULL DEFAULT 0,
  text       TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (platform, channel, message_id)
) WITHOUT ROWID;

-- What the platform told of people's reading, participants or not.
CREATE TABLE reads (
  platform TEXT NOT NULL,
  channel  TEXT NOT NULL,
  user_id  TEXT NOT NULL,
  read_at  INTEGER NOT NULL,
  PRIMARY KEY (platform, channel, user_id)
) WITHOUT ROWID;

-- Chat messages that we write.
CREATE TABLE posts (
  id              TEXT PRIMARY KEY,
  batch           TEXT NOT NULL,      -- the posts of one mail, or of one line of ours
  seq             INTEGER NOT NULL,
  conversation_id INTEGER NOT NULL,
  user_id         TEXT NOT NULL,      -- '' = the application's own line
  text            TEXT NOT NULL DEFAULT '',
  file            BLOB,               -- where the file stands in the mail (JSON)
  state           INTEGER NOT NULL,
  chat_message_id TEXT NOT NULL DEFAULT '',
  created_at      INTEGER NOT NULL,
  attempted_at    INTEGER NOT NULL DEFAULT 0,
  detail          TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE UNIQUE INDEX posts_batch ON posts (batch, seq);
CREATE INDEX posts_chat ON posts (conversation_id, chat_message_id) WHERE chat_message_id <> '';

-- Mail that was not posted and waits for an operator.
CREATE TABLE held (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id       INTEGER NOT NULL UNIQUE,
  participant_id INTEGER NOT NULL DEFAULT 0,
  reason         TEXT NOT NULL,
  detail         TEXT NOT NULL DEFAULT '',
  sender         TEXT NOT NULL DEFAULT '',
  recipient      TEXT NOT NULL DEFAULT '',
  subject        TEXT NOT NULL DEFAULT '',
  state          TEXT NOT NULL,
  held_at        INTEGER NOT NULL
);
CREATE INDEX held_waiting ON held (id) WHERE state = 'held';

-- Why something was done, or not, as far as no other table says it: events tell what was
-- noted on arrival, mailed and deliveries what was mailed.
CREATE TABLE notes (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  what    TEXT NOT NULL,
  why     TEXT NOT NULL DEFAULT '',
  channel TEXT NOT NULL DEFAULT '',
  user_id TEXT NOT NULL DEFAULT '',
  ref     TEXT NOT NULL DEFAULT '',   -- chat message, delivery, post or event
  ref2    TEXT NOT NULL DEFAULT '',
  detail  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX notes_ref ON notes (ref);
CREATE INDEX notes_ref2 ON notes (ref2) WHERE ref2 <> '';

-- How far a channel is known to be heard of, and when it is to be looked through.
CREATE TABLE watches (
  platform  TEXT NOT NULL,
  channel   TEXT NOT NULL,
  upto      INTEGER NOT NULL DEFAULT 0,  -- creation of the newest message up to which all were heard
  active_at INTEGER NOT NULL DEFAULT 0,
  check_at  INTEGER NOT NULL DEFAULT 0,  -- 0 = not before something happens there
  PRIMARY KEY (platform, channel)
) WITHOUT ROWID;
CREATE INDEX watches_due ON watches (check_at) WHERE check_at > 0;

-- What is done again and again, by whichever process is first. While it is at it, for a
-- longer time, due_at is the end of its lease.
CREATE TABLE rounds (
  name   TEXT PRIMARY KEY,
  due_at INTEGER NOT NULL,
  upto   INTEGER NOT NULL DEFAULT 0,
  owner  TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- When the provider is to be asked what became of a mail that it has (state 3: accepted).
ALTER TABLE deliveries ADD COLUMN ask_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_ask ON deliveries (ask_at) WHERE state = 3 AND ask_at > 0;

-- This database's own name, by which it knows its blobs.
CREATE TABLE house (
  id TEXT PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO house (id) VALUES (lower(hex(randomblob(16))));

-- Which delivery needs which blob.
CREATE TABLE blob_uses (
  ref         TEXT PRIMARY KEY,
  delivery_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX blob_uses_delivery ON blob_uses (delivery_id);

-- What retention and the search for orphaned blobs look for.
CREATE INDEX events_mail ON events (id) WHERE content IS NOT NULL OR content_ref <> '';
CREATE INDEX events_ref ON events (content_ref) WHERE content_ref <> '';
CREATE INDEX posts_created ON posts (created_at);

-- +goose Down
DROP TABLE rounds; DROP TABLE watches; DROP TABLE blob_uses; DROP TABLE house;
DROP TABLE notes; DROP TABLE held; DROP TABLE posts; DROP TABLE reads; DROP TABLE revisions; DROP TABLE mailed;
DROP TABLE delivery_contents; DROP TABLE deliveries; DROP TABLE delivery_counts; DROP TABLE participants; DROP TABLE conversations; DROP TABLE people;
DROP TABLE dead_jobs; DROP TABLE jobs; DROP TABLE lanes; DROP TABLE sequences; DROP TABLE events;
