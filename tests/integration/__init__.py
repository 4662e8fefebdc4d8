"""Tests with a database, and with servers that run in the test process on free ports."""
