"""The demo leaves nothing behind, whenever it is stopped."""

from pathlib import Path

from tests.support.process import Program


async def test_a_demo_that_is_stopped_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def left() -> list[Path]:
        return list(tmp_path.iterdir())

    async with Program("demo", env={"TMPDIR": str(tmp_path)}, cwd=tmp_path) as program:
        await program.wait_until(lambda: left() != [], "its folder")
        assert await program.terminate() in (0, 1), "0 where the proof was done by then"
    assert left() == []
    assert "Traceback" not in program.stderr_text
