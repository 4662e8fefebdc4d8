"""Submission to a scripted smarthost."""
