-- SPDX-License-Identifier: Apache-2.0
-- The database of a state directory, state.db. This file is both its documentation and its source:
-- the build makes a C array of it, one string for each line "-- version N"; a database of version
-- M < N is brought up by the parts M+1 to N, each in a transaction of its own. A part that was once
-- released never changes. doc/storage.md tells what the bodies hold.

-- version 1

-- The log. Experiment 0 is the registry. Seq counts 1, 2, 3 ... within an experiment, so the
-- primary key also stops a second writer. Body: an encoded event, then its crc32.
CREATE TABLE event (
	experiment INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	body       BLOB NOT NULL,
	PRIMARY KEY (experiment, seq)
) WITHOUT ROWID, STRICT;

-- By what an event is found again. Key > 0: the seq of the decision it refers to; key < 0: a keyed
-- hash of the id of a decision or of the key of a reward.
CREATE TABLE event_key (
	experiment INTEGER NOT NULL,
	key        INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	PRIMARY KEY (experiment, key, seq)
) WITHOUT ROWID, STRICT;

-- A cache: the state of an experiment after its event seq. Without it the log is read from its
-- beginning. Cursor: a hint for the next expiry of decisions. Body: the state, then its crc32.
CREATE TABLE snapshot (
	experiment INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	cursor     INTEGER NOT NULL,
	body       BLOB NOT NULL,
	PRIMARY KEY (experiment, seq DESC)
) WITHOUT ROWID, STRICT;

-- Name "log": the key of the hash above (16 bytes), how many events there ought to be (8 bytes),
-- the crc32 of both. Written by every commit, so that a lost end of a log is noticed.
CREATE TABLE info (
	name  TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- version 2

-- Where the log of an experiment begins that was pruned: the state after event seq, as a snapshot
-- has it, and its crc32. What is left of events up to seq is not read. No cache: without it the
-- events after it are of no use.
CREATE TABLE base (
	experiment INTEGER NOT NULL PRIMARY KEY,
	seq        INTEGER NOT NULL,
	cursor     INTEGER NOT NULL,
	body       BLOB NOT NULL
) STRICT;
