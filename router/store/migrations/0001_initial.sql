-- Times are BIGINT microseconds since the epoch (rate_windows: seconds), durations are BIGINT microseconds. JSON and
-- ids are TEXT. A /*pg ... */ block applies to PostgreSQL only, a /*sqlite ... */ block to SQLite only.

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    default_integration_id TEXT,
    -- An IANA time zone, and a locale for date formats.
    timezone TEXT NOT NULL DEFAULT 'UTC',
    locale TEXT NOT NULL DEFAULT 'en',
    last_ticket_number BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'agent', 'viewer')),
    password_hash TEXT,
    -- NULL means the time zone of the workspace.
    timezone TEXT,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE INDEX users_by_workspace ON users (workspace_id, id);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'agent', 'viewer')),
    hash TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id, id);

CREATE TABLE domains (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending_verification', 'active')),
    token TEXT NOT NULL,
    records TEXT NOT NULL DEFAULT '[]',
    created_at BIGINT NOT NULL,
    verified_at BIGINT,
    checked_at BIGINT,
    -- 'upstream': another relay receives the mail and forwards it here, so only the TXT record verifies the domain.
    mx_managed TEXT NOT NULL DEFAULT 'here' CHECK (mx_managed IN ('here', 'upstream')),
    -- How many rechecks have found no correct record since the last check that found one.
    misses BIGINT NOT NULL DEFAULT 0,
    missing_since BIGINT,
    next_check_at BIGINT NOT NULL DEFAULT 0,
    -- The pending alert for the integrations of the domain.
    alert TEXT NOT NULL DEFAULT '',
    alert_at BIGINT,
    UNIQUE (workspace_id, name)
);
-- Only one workspace receives mail for a domain name; the others that claim the name stay pending.
CREATE UNIQUE INDEX domains_active ON domains (name) WHERE status = 'active';
CREATE INDEX domains_by_name ON domains (name);
CREATE INDEX domains_by_check ON domains (next_check_at, id);
CREATE INDEX domains_with_alert ON domains (id) WHERE alert_at IS NOT NULL;

CREATE TABLE integrations (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    encrypted_settings TEXT NOT NULL,
    -- A JSON object: the settings that are not secret, and null for each secret setting that has a value.
    public_settings TEXT NOT NULL DEFAULT '{}',
    hint TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'failing')),
    last_error TEXT NOT NULL DEFAULT '',
    failing_since BIGINT,
    probe_at BIGINT,
    probe_interval BIGINT NOT NULL DEFAULT 0,
    -- The pacing state (router/dispatch/pacing.py), and the lease of the process that sends messages.
    paced_at BIGINT NOT NULL DEFAULT 0,
    -- The service accepts no changes of messages before this time.
    updates_after BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);
CREATE INDEX integrations_by_workspace ON integrations (workspace_id, id);

CREATE TABLE aliases (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    domain_id TEXT NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    local_part TEXT NOT NULL,
    local_key TEXT NOT NULL,
    integration_id TEXT REFERENCES integrations (id),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    UNIQUE (domain_id, local_key)
);
CREATE INDEX aliases_by_workspace ON aliases (workspace_id, id);
CREATE INDEX aliases_by_integration ON aliases (integration_id);

-- Each change of cached routing data increments the version, which the routing caches of all processes compare.
CREATE TABLE versions (
    name TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO versions (name, version) VALUES ('routes', 1);

CREATE TABLE installation (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- From here on, no foreign keys refer to aliases, domains or integrations: messages outlive these, and deleting an
-- alias after RCPT must not fail the commit of the message.
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    reverse_path TEXT NOT NULL,
    helo TEXT NOT NULL,
    peer TEXT NOT NULL,
    protocol TEXT NOT NULL,
    tls TEXT NOT NULL,
    received_by TEXT NOT NULL,
    size BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    rfc_message_id TEXT NOT NULL,
    reference_ids TEXT NOT NULL,
    from_address TEXT NOT NULL,
    from_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    sent_at BIGINT,
    automatic TEXT NOT NULL,
    -- For the loss audit: how many aliases the message was accepted for, and how many of these had already received
    -- it. Erasing a ticket decrements `aliases`.
    aliases BIGINT NOT NULL DEFAULT 1,
    repeated BIGINT NOT NULL DEFAULT 0
);

-- Chunks of at most 256 KiB allow reading a message of any size with constant memory.
CREATE TABLE raw_chunks (
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (message_id, n)
);
/*pg
-- Stored without compression, to save CPU time.
ALTER TABLE raw_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
*/

-- Parsed contents, stored when first needed, and replaced by the result of a newer parser.
CREATE TABLE message_contents (
    message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    quoted TEXT NOT NULL,
    html TEXT NOT NULL,
    attachments TEXT NOT NULL,
    warnings TEXT NOT NULL,
    reply_to TEXT NOT NULL DEFAULT '[]',
    original_from TEXT NOT NULL DEFAULT 'null',
    failed_recipients TEXT NOT NULL DEFAULT '[]',
    parser BIGINT NOT NULL,
    parsed_at BIGINT NOT NULL
);

-- Attempts to parse messages. The row of an interrupted attempt remains (router/contents/attempts.py).
CREATE TABLE parse_attempts (
    message_id TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    parser BIGINT NOT NULL,
    started_at BIGINT NOT NULL
);

-- Detects repeated messages. Rows are kept for at least the duplicate window.
CREATE TABLE fingerprints (
    alias_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    message_id TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    repeats BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (alias_key, fingerprint)
);
CREATE INDEX fingerprints_by_time ON fingerprints (accepted_at);

CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    alias_id TEXT,
    address TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_address TEXT NOT NULL,
    from_name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_progress', 'waiting', 'resolved')),
    assigned_to TEXT,
    claimed_at BIGINT,
    resolved_at BIGINT,
    received_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- The sequence of the newest event. The first message has 1; every further event increments it.
    last_sequence BIGINT NOT NULL DEFAULT 1,
    priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('urgent', 'high', 'normal', 'low')),
    UNIQUE (workspace_id, number)
);
CREATE INDEX tickets_by_workspace ON tickets (workspace_id, id);
CREATE INDEX tickets_by_status ON tickets (workspace_id, status, id);
CREATE INDEX tickets_by_alias ON tickets (alias_id, status, id);
-- The next six indexes are partial: new tickets are unassigned and have the priority `normal`, so opening a ticket
-- writes to none of them.
CREATE INDEX tickets_by_assignee ON tickets (workspace_id, assigned_to, id) WHERE assigned_to IS NOT NULL;
CREATE INDEX tickets_by_assignee_and_status ON tickets (workspace_id, assigned_to, status, id)
    WHERE assigned_to IS NOT NULL;
CREATE INDEX tickets_by_assignee_and_alias ON tickets (assigned_to, alias_id, status, id)
    WHERE assigned_to IS NOT NULL;
CREATE INDEX tickets_by_priority ON tickets (workspace_id, priority, id) WHERE priority <> 'normal';
CREATE INDEX tickets_by_assignee_and_priority ON tickets (workspace_id, assigned_to, priority, id)
    WHERE assigned_to IS NOT NULL AND priority <> 'normal';
CREATE INDEX tickets_by_priority_and_status ON tickets (workspace_id, priority, status, id) WHERE priority <> 'normal';
-- Retention reads this index, oldest first.
CREATE INDEX tickets_resolved ON tickets (resolved_at, id) WHERE status = 'resolved';
CREATE INDEX tickets_unassigned ON tickets (workspace_id, id) WHERE assigned_to IS NULL AND status <> 'resolved';

-- Names are unique regardless of case: `name_key` is the key for comparison (router/tag.py). The tags of a page and of a
-- ticket are sorted by it, in SQL and in Python, so its order must not depend on the locale of the database.
CREATE TABLE tags (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    name_key TEXT /*pg COLLATE "C" */ NOT NULL,
    color TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The id of the tag into which this one is being merged. If it was deleted, the merge was abandoned.
    merged_into TEXT,
    UNIQUE (workspace_id, name_key)
);

CREATE TABLE ticket_tags (
    tag_id TEXT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, ticket_id)
) /*sqlite WITHOUT ROWID */;
CREATE INDEX ticket_tags_by_ticket ON ticket_tags (ticket_id, tag_id);

CREATE TABLE ticket_messages (
    -- The foreign key is checked only at the commit, as in ticket_participants and deliveries: a new ticket is inserted
    -- last, because reserving its number locks the workspace.
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    -- The ticket of a reply is found by these two values.
    rfc_message_id TEXT NOT NULL DEFAULT '',
    thread_key TEXT NOT NULL DEFAULT '',
    recipient TEXT NOT NULL,
    alias_id TEXT,
    tag TEXT NOT NULL,
    joined_by TEXT NOT NULL,
    -- The sequence of the event that is derived from the message, the same for all its recipients.
    sequence BIGINT NOT NULL DEFAULT 1,
    -- For the loss audit: the integration for which the accept transaction created a delivery, or NULL.
    integration_id TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, message_id, recipient)
);
CREATE INDEX ticket_messages_by_message ON ticket_messages (message_id);
-- Finds the newest tickets at an alias that contain a Message-ID.
CREATE INDEX ticket_messages_by_rfc_message_id ON ticket_messages (rfc_message_id, thread_key, ticket_id)
    WHERE rfc_message_id <> '';

-- The normalised addresses whose replies may join a ticket, in addition to the ticket's own from_address and address.
CREATE TABLE ticket_participants (
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    address TEXT NOT NULL,
    PRIMARY KEY (ticket_id, address)
) /*sqlite WITHOUT ROWID */;

-- The words of a ticket, split by router/search/terms.py. The accept transaction never writes this table.
-- `index_position` sorts like the ticket ids, so that a search can select a time range.
CREATE TABLE ticket_search (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    index_position BIGINT NOT NULL UNIQUE,
    words TEXT NOT NULL
);
/*pg
-- A GIN index has no order, so each ticket has five additional words, one for each size of time range (2^18 to 2^34
-- milliseconds). Each of these words consists of the shift in bits, the number of the time range, and the end of the
-- workspace id.
-- Without fastupdate, no search has to read an unsorted pending list.
CREATE FUNCTION ticket_search_vector(words TEXT, index_position BIGINT, workspace_id TEXT) RETURNS TSVECTOR
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT array_to_tsvector(string_to_array(words, ' ') || ARRAY[
    '_33_' || CAST(index_position >> 33 AS TEXT) || '_' || right(workspace_id, 4),
    '_37_' || CAST(index_position >> 37 AS TEXT) || '_' || right(workspace_id, 4),
    '_41_' || CAST(index_position >> 41 AS TEXT) || '_' || right(workspace_id, 4),
    '_45_' || CAST(index_position >> 45 AS TEXT) || '_' || right(workspace_id, 4),
    '_49_' || CAST(index_position >> 49 AS TEXT) || '_' || right(workspace_id, 4)])
$$;
CREATE INDEX ticket_search_words ON ticket_search
    USING gin (ticket_search_vector(words, index_position, workspace_id)) WITH (fastupdate = off);
*/
/*sqlite
-- Contains only the index, because ticket_search stores the words. The tokenizer splits the words at spaces.
CREATE VIRTUAL TABLE ticket_words USING fts5 (
    words, content = 'ticket_search', content_rowid = 'index_position', tokenize = "ascii tokenchars '_'", detail = none,
    columnsize = 0, prefix = '2 3'
);
CREATE TRIGGER ticket_search_added AFTER INSERT ON ticket_search BEGIN
    INSERT INTO ticket_words (rowid, words) VALUES (new.index_position, new.words);
END;
CREATE TRIGGER ticket_search_removed AFTER DELETE ON ticket_search BEGIN
    INSERT INTO ticket_words (ticket_words, rowid, words) VALUES ('delete', old.index_position, old.words);
END;
CREATE TRIGGER ticket_search_changed AFTER UPDATE ON ticket_search BEGIN
    INSERT INTO ticket_words (ticket_words, rowid, words) VALUES ('delete', old.index_position, old.words);
    INSERT INTO ticket_words (rowid, words) VALUES (new.index_position, new.words);
END;
*/

CREATE TABLE ticket_events (
    id TEXT PRIMARY KEY,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    -- No foreign keys: an event outlives the user, the API key and the message that caused it.
    actor_type TEXT NOT NULL CHECK (actor_type IN ('user', 'mail', 'rule', 'slack', 'key', 'system')),
    actor_id TEXT,
    user_id TEXT,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX ticket_events_by_ticket ON ticket_events (ticket_id, id);
CREATE UNIQUE INDEX ticket_events_by_sequence ON ticket_events (ticket_id, sequence);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    message_id TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    event TEXT NOT NULL CHECK (event IN ('opened', 'replied', 'updated')),
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts BIGINT NOT NULL DEFAULT 0,
    claims BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT,
    expires_at BIGINT NOT NULL,
    parked_at BIGINT,
    delivered_at BIGINT,
    via TEXT NOT NULL DEFAULT '',
    last_error TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL
);
-- Two indexes find the oldest due messages and updates of an integration: many due updates must not delay the search
-- for a new message, and a new message is written to one index only.
CREATE INDEX deliveries_pending_messages ON deliveries (integration_id, next_attempt_at, id)
    WHERE state = 'pending' AND event <> 'updated';
CREATE INDEX deliveries_pending_updates ON deliveries (integration_id, next_attempt_at, id)
    WHERE state = 'pending' AND event = 'updated';
CREATE INDEX deliveries_by_workspace ON deliveries (workspace_id, id);
CREATE INDEX deliveries_by_ticket ON deliveries (ticket_id, id);
CREATE INDEX deliveries_by_integration ON deliveries (integration_id, id);
CREATE INDEX deliveries_dead ON deliveries (workspace_id, id) WHERE state = 'dead';
CREATE INDEX deliveries_dead_by_integration ON deliveries (integration_id, id) WHERE state = 'dead';
-- Several changes of a ticket need one update of its post, and a later change also replaces an update that failed.
CREATE UNIQUE INDEX deliveries_updates ON deliveries (ticket_id, integration_id)
    WHERE event = 'updated' AND state <> 'delivered';

CREATE TABLE attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    outcome TEXT NOT NULL DEFAULT 'open',
    status BIGINT,
    latency BIGINT,
    answer TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (delivery_id, n)
);

-- The message that shows the current state of a ticket at an integration whose messages can be changed.
CREATE TABLE posts (
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    integration_id TEXT NOT NULL,
    -- The delivery that sent the message, and the reference of the message at the service.
    delivery_id TEXT NOT NULL,
    ref TEXT NOT NULL,
    rendered_hash TEXT NOT NULL,
    -- How long an update is retried, in microseconds.
    max_age BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, integration_id)
);
CREATE INDEX posts_by_integration ON posts (integration_id);

CREATE TABLE rate_windows (
    scope TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (scope, window_start)
);
CREATE INDEX rate_windows_by_time ON rate_windows (window_start);

-- Sessions of the dashboard. Only a hash of the cookie's token is stored.
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_time ON sessions (expires_at);

-- `status` is the HTTP status; 0 means that the request is running or was interrupted. After a completed request,
-- `answer` is NULL if the response contained a secret.
CREATE TABLE idempotent_requests (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    status BIGINT NOT NULL DEFAULT 0,
    answer TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotent_requests_by_time ON idempotent_requests (at);

-- No foreign keys, because an entry outlives the objects that it describes.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    user_id TEXT,
    key_id TEXT,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_by_workspace ON audit (workspace_id, id);

-- `sender` is an address, a domain (`@spam.example`) or a network.
CREATE TABLE blocked_senders (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sender TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, sender)
);
