"""Tickets, their conversation and their messages."""
