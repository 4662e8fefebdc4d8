"""The pause between the short transactions of a long change."""

from __future__ import annotations

import asyncio

# Lets other processes lock the SQLite file between two transactions.
PAUSE_SECONDS = 0.02


async def pause() -> None:
    await asyncio.sleep(PAUSE_SECONDS)
