"""Checks that one of `UNITS` is installed, and that each of them that is installed has a low exposure level."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok, warn

UNITS = ("emailrouter.service", "emailrouter-smtp.service", "emailrouter-api.service", "emailrouter-deliver.service")
MAX_EXPOSURE_LEVEL = 2.0


async def units(context: CheckContext) -> list[CheckResult]:
    if not context.systemd_directory.is_dir():
        return [ok("systemd", "this host does not run systemd")]
    installed = {name: path for name in UNITS if (path := _find_unit(context, name)) is not None}
    if not installed:
        fix = "Copy the units from the installed program: docs/install-source.md, step 2"
        return [warn("systemd", "the units are not installed: nothing starts the program after a reboot", fix)]
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return [ok("systemd", f"installed: {', '.join(installed)}")]
    return list(await asyncio.gather(*(_check_exposure(analyze, name, path) for name, path in installed.items())))


def _find_unit(context: CheckContext, name: str) -> Path | None:
    return next((folder / name for folder in context.unit_directories if (folder / name).is_file()), None)


async def _check_exposure(analyze: str, name: str, path: Path) -> CheckResult:
    process = await asyncio.create_subprocess_exec(
        analyze,
        "security",
        "--offline=true",
        "--no-pager",
        str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    score = re.search(rb"Overall exposure level for .*: ([\d.]+)", output)
    if score is None:
        return ok("systemd", f"{name} is installed; its exposure level could not be determined")
    rating = float(score[1])
    if rating >= MAX_EXPOSURE_LEVEL:
        fix = f"Restore the original unit, and put local changes into `systemctl edit {name}`"
        return warn(
            "systemd", f"{name} has the exposure level {rating}; the original unit is below {MAX_EXPOSURE_LEVEL:g}", fix
        )
    return ok("systemd", f"{name} has the exposure level {rating}")
