"""The program: command line, assembly, lifecycle, checks, metrics and demo."""
