"""Tests of the store on both databases, and of servers that run in the test process on port 0."""
