-- Queries that only `emailrouter check` needs.

-- name: check_clock
-- The time of the database's host, in microseconds since the epoch.
SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000000.0) AS INTEGER) AS now;

-- name: check_is_standby
-- Whether the database is a read-only standby.
SELECT 0 AS standby;

-- name: check_newest_message
-- When the newest message was received.
SELECT received_at FROM messages WHERE direction = 'inbound' ORDER BY id DESC LIMIT 1;

-- name: check_count_messages
-- Counts the messages of all workspaces that were received since the time of an id, up to `limit`.
SELECT count(*) AS messages FROM (
    SELECT 1 FROM messages WHERE id >= :first_id AND direction = 'inbound' LIMIT :limit) AS m;

-- name: check_newest_peers
-- The addresses of the clients that sent the newest messages of all workspaces.
SELECT peer FROM messages WHERE direction = 'inbound' ORDER BY id DESC LIMIT :limit;

-- name: check_sending_domains
-- Domains of all workspaces that send replies.
SELECT {Domain}
FROM domains WHERE sending <> 'off' ORDER BY name, id LIMIT :limit;

-- name: check_domains
-- Domains of all workspaces.
SELECT {Domain}
FROM domains ORDER BY name, id LIMIT :limit;

-- name: check_integrations
-- Integrations of all workspaces.
SELECT {Integration}
FROM integrations ORDER BY name, id LIMIT :limit;

-- name: check_durability
-- The settings that decide whether a reported commit is on disk. With SQLite, the program always uses
-- `synchronous=FULL`.
SELECT 'on' AS synchronous_commit, 'on' AS fsync;

-- name: check_smarthosts
-- What is known of all smarthosts.
SELECT {Smarthost}
FROM smarthosts ORDER BY id LIMIT :limit;

-- name: check_smarthost_domains
-- Domains of all workspaces that have a smarthost of their own.
SELECT {Domain}
FROM domains WHERE encrypted_smarthost <> '' ORDER BY name, id LIMIT :limit;
