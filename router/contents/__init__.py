"""Parsed contents of stored messages: the store, the parser pool, its workers and the record of attempts."""
