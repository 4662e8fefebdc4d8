"""PostgreSQL itself killed under load and started again: the program goes on without a restart of its own."""

from pathlib import Path

from tests.support.postgres import private_postgres
from tests.system.crash.rig import new_rig

KILLS = 3
MAILS = 150


async def test_postgres_is_killed_and_comes_back(tmp_path: Path) -> None:
    async with (
        private_postgres(fsync=True) as server,
        new_rig("postgres", tmp_path, lambda: server, settings={"database.connect_timeout": "2s"}) as rig,
        rig.mta(8) as mta,
    ):
        program = await rig.start()
        for _ in range(KILLS):
            mta.offer(rig.mails(MAILS, large=20, replies=7))
            await mta.taken(len(mta.acknowledged) + MAILS // 2)
            await server.kill()
            await server.start()
        await mta.all_taken()
        await rig.settle()
        found = await rig.sound(mta)
        assert found.acknowledged >= KILLS * MAILS
        assert program.running()
        assert await program.terminate() == 0
