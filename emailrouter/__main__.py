"""`python -m emailrouter`, the same as `emailrouter`."""

from emailrouter.cli import main

main()
