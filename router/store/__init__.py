"""Contains all SQL of the program (named queries and migrations), and the two databases behind one interface."""
