"""Contains all SQL of the program, and the two databases behind one interface."""
