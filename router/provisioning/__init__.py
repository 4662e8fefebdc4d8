"""Workspaces as documents: the document format, planning, export, apply."""
