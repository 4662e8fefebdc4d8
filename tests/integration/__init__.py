"""Most of these tests use a database, or servers that run in the test process on free ports."""
