"""Tests without external effects: they start no process, open no socket and use no database."""
