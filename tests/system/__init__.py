"""Tests of started programs: how they work together, when they are killed, and in a browser."""
