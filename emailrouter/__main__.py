"""Runs the command line as `python -m emailrouter`."""

from emailrouter.cli import main

main()
