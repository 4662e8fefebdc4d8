"""Tests of all packages. `support` contains shared code."""
