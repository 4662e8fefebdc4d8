-- name: audit_insert
-- Inserts an audit entry.
INSERT INTO audit {values:AuditEntry};

-- name: audit_page
-- Audit entries of a workspace, newest first.
SELECT {AuditEntry}
FROM audit WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit;
