"""Contains all SQL of the program, and one interface to SQLite and PostgreSQL."""
