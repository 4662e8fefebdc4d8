"""Runs the commands of pages in docs, and tests between them, and prints each step with its time."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.support.documents import Block, read_blocks
from tests.system.debian.machine import Failed


@dataclass(frozen=True, slots=True)
class PageSection:
    """The command blocks under a heading of a page, except those that the page marks as not run."""

    page: str
    heading: str

    def blocks(self) -> list[Block]:
        """Raises `Failed` if there are none."""
        found = [block for block in read_blocks(self.page) if (block.heading, block.language) == (self.heading, "sh")]
        runnable = [block for block in found if not block.not_run]
        if not runnable:
            raise Failed(f"{self.page} has no commands under {self.heading!r}")
        return runnable


Step = PageSection | tuple[str, Callable[[], str | None]]


class PageWalk(ABC):
    """One run of the steps. A failed command or test raises `Failed`.

    A test may return a text about its result.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._command_count = 0

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self._began) / 60

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """Returns the sections of pages whose blocks run, and the named tests, in order."""

    @abstractmethod
    def _run_block(self, block: Block) -> None: ...

    @abstractmethod
    def _read_log(self) -> str:
        """Returns the last lines that the program logged."""

    def run(self) -> None:
        for step in self.steps():
            if isinstance(step, PageSection):
                for block in step.blocks():
                    self._run_step(f"{block.page}, line {block.line}", partial(self._run_block, block))
            else:
                self._run_step(*step)

    def _run_step(self, name: str, work: Callable[[], str | None]) -> None:
        print_line(f"{time.monotonic() - self._began:6.0f} s  {name}")
        try:
            result = work()
        except Failed:
            print_line(f"the log of the program:\n{self._read_log()}")
            raise
        if result:
            print_line(f"          {result}")


def print_block(lines: Sequence[str], *, depth: int) -> None:
    if lines:
        print_line("\n".join(" " * depth + line for line in lines))


def print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
