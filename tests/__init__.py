"""Tests of all packages. `support` contains the code that they share."""
