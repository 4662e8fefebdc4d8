"""Runs `emailrouter` with the channel of `tests.support.telegraph`."""

from router.channels import CHANNELS
from tests.support.telegraph import TELEGRAPH

CHANNELS[TELEGRAPH.kind] = TELEGRAPH

if __name__ == "__main__":
    from emailrouter.cli import main

    main()
