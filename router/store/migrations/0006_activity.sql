-- The tickets that were resolved on a day, and who they are assigned to, for the overview. SQLite reads only the index
-- if it contains the status.
CREATE INDEX tickets_resolved_by_workspace ON tickets (workspace_id, resolved_at, assigned_to, status)
    WHERE status = 'resolved';
