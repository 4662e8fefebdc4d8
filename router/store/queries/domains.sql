-- name: domain_by_id
-- One domain of a workspace.
SELECT {Domain}
FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_lock
-- One domain of a workspace, locked.
SELECT {Domain}
FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_lock_name
-- All rows for a domain name, locked: if two workspaces verify the name concurrently, only one succeeds.
SELECT {Domain}
FROM domains WHERE name = :name ORDER BY id;

-- name: domain_page
-- Domains of a workspace, newest first, with optional filters.
SELECT {Domain}
FROM domains WHERE workspace_id = :workspace_id AND id < :before
    {if status: AND status = :status}
    {if q: AND lower(name) LIKE :q ESCAPE '\'}
ORDER BY id DESC LIMIT :limit;

-- name: domain_insert
-- Inserts a domain, unless the workspace already has it.
INSERT INTO domains {values:Domain}
ON CONFLICT (workspace_id, name) DO NOTHING;

-- name: domain_record_check
-- Stores the result of a check, or that the workspace lost the domain name. Only a loss changes the token.
UPDATE domains SET token = :token, records = :records, checked_at = :checked_at, status = :status,
                   verified_at = :verified_at, misses = :misses, missing_since = :missing_since,
                   next_check_at = :next_check_at, alert = :alert, alert_at = :alert_at
WHERE id = :id;

-- name: domain_set_mx_managed
-- Sets where the MX records of a domain point. The next check is due now.
UPDATE domains SET mx_managed = :mx_managed, records = '[]', checked_at = NULL, next_check_at = 0
WHERE id = :id;

-- name: domain_delete
-- Deletes a domain with its aliases.
DELETE FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_alias_count
-- The number of aliases of a domain.
SELECT count(*) AS aliases FROM aliases WHERE domain_id = :id;

-- name: domain_due_checks
-- Domains that are due for a check, longest due first.
SELECT {Domain}
FROM domains WHERE next_check_at <= :now OR next_check_at > :latest_plausible
ORDER BY next_check_at, id LIMIT :limit;

-- name: domain_claim_check
-- Claims the check of a domain. If the process crashes, the check is due again at `until`.
UPDATE domains SET next_check_at = :until
WHERE id = :id AND (next_check_at <= :now OR next_check_at > :latest_plausible);

-- name: domain_pending_alerts
-- Domains with a pending alert.
SELECT {Domain}
FROM domains WHERE alert_at IS NOT NULL AND id > :after ORDER BY id LIMIT :limit;

-- name: domain_alert_integrations
-- The integrations of a domain's aliases, and the default integration of the workspace.
SELECT {Integration:i}
FROM integrations i
WHERE i.workspace_id = :workspace_id AND (
    i.id IN (SELECT a.integration_id FROM aliases a WHERE a.domain_id = :domain_id)
    OR i.id = (SELECT w.default_integration_id FROM workspaces w WHERE w.id = :workspace_id))
ORDER BY i.id LIMIT :limit;

-- name: domain_clear_alert
-- Clears a posted alert; a newer alert stays.
UPDATE domains SET alert = '', alert_at = NULL WHERE id = :id AND alert_at = :alert_at;

-- name: sending_domain
-- A domain of any workspace, for sending its mail.
SELECT {Domain} FROM domains WHERE id = :id;

-- name: sending_domains_active
-- The domains of a workspace whose DKIM record is correct, oldest first.
SELECT {Domain} FROM domains
WHERE workspace_id = :workspace_id AND status = 'active' AND sending = 'active' ORDER BY id;

-- name: domain_keys
-- The DKIM keys of a domain, oldest first.
SELECT {DomainKey} FROM domain_keys WHERE domain_id = :domain_id ORDER BY created_at, selector;

-- name: domain_record_sending
-- Stores the result of a check of the sending records.
UPDATE domains SET sending = :sending, sending_records = :sending_records, sending_checked_at = :sending_checked_at,
                   next_check_at = :next_check_at, alert = :alert, alert_at = :alert_at
WHERE id = :id;

-- name: domain_set_sending
-- Turns sending on or off, and forgets the last check.
UPDATE domains SET sending = :sending, sending_records = '[]', sending_checked_at = NULL WHERE id = :id;

-- name: domain_set_smarthost
-- Sets or removes the smarthost of a domain.
UPDATE domains SET encrypted_smarthost = :encrypted_smarthost, smarthost_hint = :smarthost_hint WHERE id = :id;

-- name: domain_key_insert
-- Adds a DKIM key.
INSERT INTO domain_keys {values:DomainKey};

-- name: domain_key_activate
-- A key signs from now on.
UPDATE domain_keys SET active_at = :now WHERE domain_id = :domain_id AND selector = :selector;

-- name: domain_key_retire
-- A key signs no more, so that its private part is not needed.
UPDATE domain_keys SET retired_at = :now, encrypted_private_key = ''
WHERE domain_id = :domain_id AND selector = :selector;

-- name: domain_key_delete
-- Forgets a key.
DELETE FROM domain_keys WHERE domain_id = :domain_id AND selector = :selector;

-- name: domain_keys_delete
-- Forgets all keys of a domain.
DELETE FROM domain_keys WHERE domain_id = :domain_id;
