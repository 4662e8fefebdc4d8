-- The address at another mail system that forwards to an alias. A note of the users, which proves nothing.
ALTER TABLE aliases ADD COLUMN forwarded_from TEXT;
-- The last test message with the current settings of an integration, and why it did not arrive ('' if it did).
ALTER TABLE integrations ADD COLUMN last_test_at BIGINT;
ALTER TABLE integrations ADD COLUMN last_test_error TEXT NOT NULL DEFAULT '';
