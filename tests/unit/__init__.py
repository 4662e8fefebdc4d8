"""Tests of pure functions: they start no process, open no socket and use no database."""
