"""Tests with faults of the database, the disk, the clock and Slack."""
