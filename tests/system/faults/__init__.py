"""Real faults of database, disk, clock and Slack."""
