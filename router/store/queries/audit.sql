-- name: audit_insert
-- Inserts an audit entry.
INSERT INTO audit (id, workspace_id, at, user_id, key_id, address, action, target, detail)
VALUES (:id, :workspace_id, :at, :user_id, :key_id, :address, :action, :target, :detail);

-- name: audit_page
-- Audit entries of a workspace, newest first.
SELECT id, workspace_id, at, user_id, key_id, address, action, target, detail
FROM audit WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit;
