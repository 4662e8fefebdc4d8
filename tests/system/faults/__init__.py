"""The surroundings at fault, made for real: database, disk, clock and Slack, and what the program does meanwhile."""
