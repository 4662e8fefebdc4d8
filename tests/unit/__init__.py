"""Pure functions: no process, no socket, no database."""
