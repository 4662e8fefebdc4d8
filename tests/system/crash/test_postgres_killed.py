"""The program survives a kill of PostgreSQL under load."""

from pathlib import Path

from tests.support.postgres import private_postgres
from tests.system.crash.system_under_test import system_under_test

KILLS = 3
MAILS = 150


async def test_postgres_is_killed_and_restarted(tmp_path: Path) -> None:
    async with (
        private_postgres(fsync=True) as server,
        system_under_test("postgres", tmp_path, lambda: server, settings={"database.connect_timeout": "2s"}) as system,
        system.start_mta(8) as mta,
    ):
        program = await system.start()
        for _ in range(KILLS):
            mta.queue(system.new_mails(MAILS, large=20, replies=7))
            await mta.wait_accepted(len(mta.acknowledged) + MAILS // 2)
            await server.kill()
            await server.start()
        await mta.wait_all_accepted()
        await system.wait_delivered()
        found = await system.assert_no_faults(mta)
        assert found.acknowledged >= KILLS * MAILS
        assert program.running()
        assert await program.terminate() == 0
