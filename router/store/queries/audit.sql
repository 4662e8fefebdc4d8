-- name: audit_insert
-- Inserts audit entries.
INSERT INTO audit {rows:AuditEntry};

-- name: audit_page
-- Audit entries of a workspace that match an AuditFilter, newest first. `actions` is a list such as `,user.create,`, and
-- `pattern` is for LIKE. No entry before `first` is read.
{if pattern: WITH named AS (
    SELECT id FROM users WHERE workspace_id = :workspace_id AND lower(name || ' ' || email) LIKE lower(:pattern) ESCAPE '!'
    UNION ALL
    SELECT id FROM integrations WHERE workspace_id = :workspace_id AND lower(name) LIKE lower(:pattern) ESCAPE '!')}
SELECT {AuditEntry:a}
FROM audit a
WHERE a.workspace_id = :workspace_id AND a.id < :before {if first: AND a.id >= :first}
    {if user_id: AND COALESCE(a.user_id, '') = :user_id}
    {if actions: AND :actions LIKE '%,' || a.action || ',%'}
    {if pattern: AND (lower(a.detail || ' ' || a.address || ' ' || a.target) LIKE lower(:pattern) ESCAPE '!'
        OR a.user_id IN (SELECT id FROM named) OR a.target IN (SELECT id FROM named))}
ORDER BY a.id DESC LIMIT :limit;

-- name: audit_scan_end
-- The id at which a search of `scanned` entries ends, if there are more.
SELECT id FROM audit
WHERE workspace_id = :workspace_id AND id < :before {if first: AND id >= :first}
ORDER BY id DESC LIMIT 1 OFFSET :scanned;
