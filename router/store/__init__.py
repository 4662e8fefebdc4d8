"""Contains all SQL of the program: named queries, migrations, and the two databases behind one interface."""
