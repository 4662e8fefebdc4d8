"""Workspace documents: their format and export, and the planned changes that apply them."""
