"""Output lines, JSON and exit codes of the command `emailrouter check`."""

import json
from pathlib import Path

from tests.support.dns import DnsStandIn
from tests.support.installation import HOST
from tests.support.installation.checked import CheckedInstallation
from tests.support.process import Program


async def _run(*args: str, env: dict[str, object], cwd: Path) -> tuple[int, str]:
    async with Program(*args, env=env, cwd=cwd) as program:
        code = await program.wait()
        return code, b"\n".join(program.stdout).decode()


async def test_command_prints_lines_and_json(setup: CheckedInstallation, tmp_path: Path) -> None:
    settings = {**setup.settings, "dns.nameservers": [setup.dns.address]}
    code, text = await _run("check", env=settings, cwd=tmp_path)
    assert code == 1, "this machine does not trust the stand-in's certificate authority"
    assert "fix: " in text
    assert "integration general: the certificate of localhost is not valid" in text
    code, text = await _run("check", "--json", env=settings, cwd=tmp_path)
    document = json.loads(text)
    assert (code, document["ok"]) == (1, False)
    assert {"check", "status", "text", "fix"} == set(document["checks"][0])


async def test_command_without_database_and_with_invalid_configuration(tmp_path: Path, dns_server: DnsStandIn) -> None:
    env: dict[str, object] = {"dns.nameservers": [dns_server.address], "server.hostname": HOST}
    code, text = await _run("check", env=env, cwd=tmp_path)
    assert code == 1
    assert "database: there is no database at emailrouter.db" in text
    assert "Run emailrouter init" in text
    assert not (tmp_path / "emailrouter.db").exists()
    code, text = await _run("check", env={**env, "smtp.max_recipients": 0}, cwd=tmp_path)
    assert code == 2
    assert "smtp.max_recipients" in text


async def test_command_with_unusable_database(tmp_path: Path, dns_server: DnsStandIn) -> None:
    env: dict[str, object] = {"dns.nameservers": [dns_server.address], "server.hostname": HOST}
    (tmp_path / "emailrouter.db").write_bytes(b"not a database" * 100)
    code, text = await _run("check", env=env, cwd=tmp_path)
    assert code == 1
    assert "cannot be used" in text
    unreachable = {**env, "database.url": "postgresql://nobody@127.0.0.1:1/none", "database.connect_timeout": "1s"}
    code, text = await _run("check", env=unreachable, cwd=tmp_path)
    assert code == 1
    assert "pg_hba.conf" in text
