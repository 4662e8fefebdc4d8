"""The only place with SQL: named queries, migrations and the two databases behind one interface."""
