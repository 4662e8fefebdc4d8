-- PostgreSQL needs explicit row locks.

-- name: workspace_lock
SELECT {Workspace} FROM workspaces WHERE id = :id
FOR NO KEY UPDATE;
