-- The messages whose sender is checked next. `claims` counts the processes that have begun: a check that ends the
-- process again and again is given up. `recheck` is 1 for a message that a user wants to be checked again: new messages,
-- whose posts wait, come first. No foreign key: the accept transaction writes this table, and a row of an erased
-- message is deleted when it is claimed.
CREATE TABLE check_queue (
    message_id TEXT PRIMARY KEY,
    claims BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    recheck BIGINT NOT NULL DEFAULT 0
) /*sqlite WITHOUT ROWID */;

-- The results of the checks of a message (router/checks). A message without a row is not checked yet, or is older.
CREATE TABLE message_checks (
    message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    -- `skipped` for messages that need no check, such as our own test messages.
    state TEXT NOT NULL CHECK (state IN ('done', 'skipped')),
    checked_at BIGINT NOT NULL,
    -- 1 after a check of a later day, with the DNS of that day.
    rechecked BIGINT NOT NULL DEFAULT 0,
    -- JSON: a list of AuthResult, that of the trusted relay that handed the message on, the answer of rspamd or null, and
    -- the other facts of the decision (router/checks/decision.py).
    results TEXT NOT NULL,
    relay_results TEXT NOT NULL DEFAULT '[]',
    spam TEXT NOT NULL DEFAULT 'null',
    facts TEXT NOT NULL DEFAULT '{}'
);

-- What a reader of a message is warned of; '' if nothing. Depends on the alias, whose settings decide what is flagged.
ALTER TABLE ticket_messages ADD COLUMN warning TEXT NOT NULL DEFAULT '';

-- A ticket held as spam, since when and why. `flagged` is 1 if one of its messages has a warning.
ALTER TABLE tickets ADD COLUMN spam BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN spam_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN spam_at BIGINT;
ALTER TABLE tickets ADD COLUMN flagged BIGINT NOT NULL DEFAULT 0;

-- `awaiting`: what a pending delivery waits for, until `next_attempt_at` at the latest; NULL if it waits for nothing.
-- The state `spam` is that of the deliveries of a ticket held as spam; `released` is 1 after such a ticket was released.
ALTER TABLE deliveries ADD COLUMN awaiting TEXT CHECK (awaiting IN ('checks', 'rules'));
ALTER TABLE deliveries ADD COLUMN released BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN target TEXT NOT NULL DEFAULT 'integration'
    CHECK (target IN ('integration', 'webhook', 'smarthost'));
/*pg
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check
    CHECK (state IN ('pending', 'delivered', 'dead', 'spam'));
*/
/*sqlite
-- SQLite cannot change a constraint. Editing the text of the table is the documented way (lang_altertable.html, section
-- 7): the constraint only becomes wider, so all rows satisfy it.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '''pending'', ''delivered'', ''dead''', '''pending'', ''delivered'', ''dead'', ''spam''')
WHERE type = 'table' AND name = 'deliveries';
PRAGMA writable_schema = RESET;
*/
CREATE INDEX deliveries_spam ON deliveries (workspace_id, id) WHERE state = 'spam';

-- JSON: the settings `on_fail`, `on_spam` and `spam_score` that differ from the defaults, or from those of the workspace.
ALTER TABLE workspaces ADD COLUMN check_policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE aliases ADD COLUMN check_policy TEXT NOT NULL DEFAULT '{}';
-- When the operators were last told of the tickets held as spam.
ALTER TABLE workspaces ADD COLUMN spam_alerted_at BIGINT NOT NULL DEFAULT 0;

-- `refuse` answers RCPT with 550, `spam` marks the ticket as spam.
ALTER TABLE blocked_senders ADD COLUMN action TEXT NOT NULL DEFAULT 'refuse' CHECK (action IN ('refuse', 'spam'));
ALTER TABLE blocked_senders ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE blocked_senders ADD COLUMN hits BIGINT NOT NULL DEFAULT 0;
ALTER TABLE blocked_senders ADD COLUMN last_hit_at BIGINT;

-- Senders whose mail is neither spam nor refused. `require_auth`: only if DMARC passes, or a DKIM signature is aligned.
CREATE TABLE allowed_senders (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sender TEXT NOT NULL,
    require_auth BIGINT NOT NULL DEFAULT 1,
    note TEXT NOT NULL DEFAULT '',
    hits BIGINT NOT NULL DEFAULT 0,
    last_hit_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, sender)
);

-- Lists contain either the tickets that are spam or the others, in these indexes each in one range. Accepting a message
-- writes as many entries as before. The indexes by assignee and by priority stay: few of their tickets are spam.
DROP INDEX tickets_by_workspace;
DROP INDEX tickets_by_status;
DROP INDEX tickets_by_alias;
DROP INDEX tickets_unassigned;
DROP INDEX tickets_waiting;
DROP INDEX tickets_automatic;
DROP INDEX tickets_by_sender;
DROP INDEX tickets_resolved_by_workspace;
CREATE INDEX tickets_by_workspace ON tickets (workspace_id, spam, id);
CREATE INDEX tickets_by_status ON tickets (workspace_id, spam, status, id);
CREATE INDEX tickets_by_alias ON tickets (alias_id, spam, status, id);
CREATE INDEX tickets_unassigned ON tickets (workspace_id, spam, id)
    WHERE assigned_to IS NULL AND status <> 'resolved';
CREATE INDEX tickets_waiting ON tickets (workspace_id, spam, COALESCE(unanswered_since, received_at), id)
    WHERE status IN ('open', 'in_progress');
CREATE INDEX tickets_automatic ON tickets (workspace_id, spam, id) WHERE automatic <> '';
CREATE INDEX tickets_by_sender ON tickets (workspace_id, spam, lower(from_address), id);
CREATE INDEX tickets_resolved_by_workspace ON tickets (workspace_id, spam, resolved_at, assigned_to, status)
    WHERE status = 'resolved';
