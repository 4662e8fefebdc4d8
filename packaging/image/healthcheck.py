"""The health check of the image: succeeds if `/readyz` of the API answers 200.

Reads the address from the configuration of the container. The last line of the output is the state that
`docker inspect` shows.
"""

import os
import sys
import urllib.error
import urllib.request

from config.load import load
from config.values import Address

TIMEOUT_SECONDS = 8.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced, not bound


def main() -> int:
    listen = load(None, os.environ).api.listen
    if not isinstance(listen, Address):
        sys.exit(f"api.listen = {listen}: the health check needs an address")
    address = Address(_WILDCARDS.get(listen.host, listen.host), listen.port)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/readyz", timeout=TIMEOUT_SECONDS) as response:
            print(response.read().decode(errors="replace").strip())
    except urllib.error.HTTPError as error:
        print(error.read().decode(errors="replace").strip())
        return 1
    except OSError as error:
        print(f"http://{address}/readyz: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
