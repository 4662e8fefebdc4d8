"""Started programs: what they do together, when they are killed, and in a browser."""
