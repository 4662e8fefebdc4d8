"""Runs the command line: `python -m emailrouter` is the same as the command `emailrouter`."""

from emailrouter.cli import main

main()
