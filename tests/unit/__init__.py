"""Tests that start no process, and use no network and no database."""
