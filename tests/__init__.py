"""Tests, laid out like the packages they test. `support` contains the code that they share."""
