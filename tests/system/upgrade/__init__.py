"""Databases of earlier versions are migrated and used by this one."""
