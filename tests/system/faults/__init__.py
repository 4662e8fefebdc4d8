"""Faults of the environment, caused for real: database, disk, clock and Slack."""
