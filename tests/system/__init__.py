"""Tests of started programs. Also packaging, rules for the whole repository and cost growth."""
