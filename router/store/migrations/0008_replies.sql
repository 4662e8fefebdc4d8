-- Messages that the users send. `kind`: a mail, or a bounce of our own mail. `user_id` is the author of a reply; no foreign
-- key, because a message outlives its author.
ALTER TABLE messages ADD COLUMN direction TEXT NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound'));
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'mail' CHECK (kind IN ('mail', 'note', 'bounce', 'form'));
ALTER TABLE messages ADD COLUMN user_id TEXT;

-- 1 for a message that joined by a token or by one of our own Message-IDs, of somebody who was no participant.
ALTER TABLE ticket_messages ADD COLUMN new_sender BIGINT NOT NULL DEFAULT 0;

-- When the first reply was handed over to the smarthost.
ALTER TABLE tickets ADD COLUMN first_replied_at BIGINT;

-- A mail to customers. Its content is the row of `message_id` in `messages`, which is deleted when the reply is canceled.
CREATE TABLE replies (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'reply' CHECK (kind IN ('reply', 'acknowledgement')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'retrying', 'failed', 'delayed', 'bounced', 'canceled')),
    -- The status that the ticket takes when the reply leaves the state `queued`; NULL for no change.
    ticket_status TEXT,
    actor_type TEXT NOT NULL CHECK (actor_type IN ('user', 'mail', 'rule', 'slack', 'key', 'system')),
    actor_id TEXT,
    user_id TEXT,
    -- JSON: what the author wrote, for the draft after `cancel`.
    draft TEXT NOT NULL DEFAULT '{}',
    send_at BIGINT NOT NULL,
    sent_at BIGINT,
    last_error TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL
);
CREATE INDEX replies_by_ticket ON replies (ticket_id, id);
CREATE INDEX replies_by_message ON replies (message_id);
CREATE INDEX replies_by_workspace ON replies (workspace_id, id);
CREATE INDEX replies_by_state ON replies (workspace_id, state, id) WHERE state <> 'sent';

-- The recipients of a reply. Each has an SMTP transaction of its own, which is the delivery `delivery_id`.
CREATE TABLE reply_recipients (
    reply_id TEXT NOT NULL REFERENCES replies (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    address TEXT NOT NULL,
    -- `address` in the form for comparison (router/mail/mailboxes.py).
    address_key TEXT NOT NULL,
    field TEXT NOT NULL CHECK (field IN ('to', 'cc', 'bcc')),
    -- The token in the envelope sender `b-<token>@<domain>` (router/reply_tokens.py).
    token TEXT NOT NULL UNIQUE,
    delivery_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'retrying', 'failed', 'delayed', 'bounced', 'canceled')),
    -- The last answer: an SMTP reply code or NULL, and a text.
    code BIGINT,
    text TEXT NOT NULL DEFAULT '',
    at BIGINT,
    PRIMARY KEY (reply_id, address_key)
);
CREATE INDEX reply_recipients_bounced ON reply_recipients (workspace_id, address_key, at) WHERE state = 'bounced';

-- Message-IDs by which receivers know a sent message, besides its own: those that the smarthost assigned.
CREATE TABLE sent_message_ids (
    rfc_message_id TEXT NOT NULL,
    thread_key TEXT NOT NULL,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    PRIMARY KEY (rfc_message_id, thread_key, ticket_id)
) /*sqlite WITHOUT ROWID */;
CREATE INDEX sent_message_ids_by_ticket ON sent_message_ids (ticket_id);

-- Bounces of our mail whose report is not read yet. `address_key` is the recipient that the token names, '' without one.
-- No foreign key: the accept transaction writes this table, and a row of an erased message is deleted when it is claimed.
CREATE TABLE bounce_queue (
    message_id TEXT PRIMARY KEY,
    ticket_id TEXT NOT NULL,
    reply_id TEXT NOT NULL DEFAULT '',
    address_key TEXT NOT NULL DEFAULT '',
    claims BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0
) /*sqlite WITHOUT ROWID */;
-- The bounces of a reply, for their limit.
CREATE TABLE reply_bounces (
    reply_id TEXT NOT NULL REFERENCES replies (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    PRIMARY KEY (reply_id, message_id)
) /*sqlite WITHOUT ROWID */;

-- The smarthosts: `installation` is that of the configuration, the others have the id of their domain. `url` is without
-- password; the rest of the row belongs to it and is reset when it changes.
CREATE TABLE smarthosts (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'failing')),
    last_error TEXT NOT NULL DEFAULT '',
    failing_since BIGINT,
    probe_at BIGINT,
    probe_interval BIGINT NOT NULL DEFAULT 0,
    -- 1 if it has rejected `b-<token>@` and accepted the alias as the envelope sender.
    rejects_token_sender BIGINT NOT NULL DEFAULT 0
);

-- Deliveries to a smarthost have its id as `integration_id`.
CREATE INDEX deliveries_to_smarthost ON deliveries (next_attempt_at, id)
    WHERE state = 'pending' AND target = 'smarthost';
CREATE INDEX deliveries_parked_at_smarthost ON deliveries (integration_id, id)
    WHERE state = 'pending' AND target = 'smarthost' AND parked_at IS NOT NULL;
-- For the limit of each workspace in an hour.
CREATE INDEX deliveries_sent ON deliveries (workspace_id, delivered_at)
    WHERE state = 'delivered' AND target = 'smarthost';
-- `owner`: the process that makes the attempt. `final_dot_at`: when it was about to end the data of an SMTP transaction:
-- from then on, the smarthost may have accepted the message.
ALTER TABLE attempts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN final_dot_at BIGINT;
/*pg
ALTER TABLE deliveries DROP CONSTRAINT deliveries_event_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_event_check
    CHECK (event IN ('opened', 'replied', 'updated', 'reply', 'reply_failed', 'reply_bounced'));
*/
/*sqlite
-- See 0007_sender_checks.sql.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '''opened'', ''replied'', ''updated''',
                  '''opened'', ''replied'', ''updated'', ''reply'', ''reply_failed'', ''reply_bounced''')
WHERE type = 'table' AND name = 'deliveries';
PRAGMA writable_schema = RESET;
*/

-- JSON lists: addresses, and ids of uploads.
ALTER TABLE drafts ADD COLUMN html TEXT NOT NULL DEFAULT '';
ALTER TABLE drafts ADD COLUMN to_addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE drafts ADD COLUMN cc_addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE drafts ADD COLUMN bcc_addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE drafts ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]';

-- Files for replies that are not sent yet.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id TEXT,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_time ON uploads (created_at);
CREATE INDEX uploads_by_workspace ON uploads (workspace_id, id);
CREATE TABLE upload_chunks (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (upload_id, n)
);
/*pg
ALTER TABLE upload_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
*/

CREATE TABLE templates (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('text', 'editable_html', 'static_html')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX templates_by_workspace ON templates (workspace_id, id);
-- `alias_id` is NULL for all aliases.
CREATE TABLE canned_responses (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    alias_id TEXT REFERENCES aliases (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX canned_responses_by_workspace ON canned_responses (workspace_id, id);
CREATE INDEX canned_responses_by_alias ON canned_responses (alias_id);

-- How replies from an alias look: the name in From ('' for the default), the signature, whether Reply-To has the token of
-- the ticket, and the template of the acknowledgement.
ALTER TABLE aliases ADD COLUMN sender_name TEXT NOT NULL DEFAULT '';
ALTER TABLE aliases ADD COLUMN signature TEXT NOT NULL DEFAULT '';
ALTER TABLE aliases ADD COLUMN reply_to_token BIGINT NOT NULL DEFAULT 0;
ALTER TABLE aliases ADD COLUMN acknowledge_template_id TEXT;
-- The new tickets that may get an acknowledgement, and when a sender got the last one.
CREATE TABLE acknowledgement_queue (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    queued_at BIGINT NOT NULL
) /*sqlite WITHOUT ROWID */;
CREATE TABLE acknowledgements (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    address_key TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, address_key)
) /*sqlite WITHOUT ROWID */;
CREATE INDEX acknowledgements_by_time ON acknowledgements (workspace_id, sent_at);

-- Sending from a domain: the records of the last check as JSON, and a smarthost of its own, with its URL as a hint.
ALTER TABLE domains ADD COLUMN sending TEXT NOT NULL DEFAULT 'off'
    CHECK (sending IN ('off', 'pending', 'active', 'failing'));
ALTER TABLE domains ADD COLUMN sending_records TEXT NOT NULL DEFAULT '[]';
ALTER TABLE domains ADD COLUMN sending_checked_at BIGINT;
ALTER TABLE domains ADD COLUMN encrypted_smarthost TEXT NOT NULL DEFAULT '';
ALTER TABLE domains ADD COLUMN smarthost_hint TEXT NOT NULL DEFAULT '';
-- The DKIM keys of a domain. The newest one with `active_at` signs: DNS has shown it. An older one is retired, and its
-- record can be removed 7 days after `retired_at`.
CREATE TABLE domain_keys (
    domain_id TEXT NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    selector TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    encrypted_private_key TEXT NOT NULL,
    -- The value of `p=` in the record.
    public_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    active_at BIGINT,
    retired_at BIGINT,
    PRIMARY KEY (domain_id, selector)
);
