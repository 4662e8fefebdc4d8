"""Runs `emailrouter` with the channel of `tests.support.telegraph`."""

import sys

from router.channels import CHANNELS
from tests.support.telegraph import TELEGRAPH

CHANNELS[TELEGRAPH.kind] = TELEGRAPH
# The commands derive their options from the channels when they are imported, which the fork server has already done.
for name in [name for name in sys.modules if name.startswith("emailrouter.cli")]:
    del sys.modules[name]

if __name__ == "__main__":
    from emailrouter.cli import main

    main()
