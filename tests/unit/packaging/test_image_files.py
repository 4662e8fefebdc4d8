"""The Dockerfile and the compose files, as far as a parser can check them. `make image-walk` runs them."""

import fnmatch
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from config.load import load
from config.values import parse_duration

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "packaging" / "image"


def parse_dockerfile(text: str) -> list[list[tuple[str, str]]]:
    """Returns the instructions of each stage; those before the first FROM are the first stage."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            stages.append([])
        stages[-1].append((instruction, " ".join(rest.split())))
    return stages


GLOBAL, BUILD, FINAL = parse_dockerfile((IMAGE / "Dockerfile").read_text(encoding="utf-8"))


def read_compose(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((IMAGE / name).read_text(encoding="utf-8"))
    return document


SQLITE, POSTGRES = read_compose("compose.yaml"), read_compose("compose.postgres.yaml")


def test_stages() -> None:
    assert GLOBAL == [("ARG", "BASE=debian:trixie-slim")]
    assert [stage[0][1] for stage in (BUILD, FINAL)] == ["${BASE} AS build", "${BASE}"]
    assert not any(rest.startswith("install -r") or "pip" in rest for _, rest in FINAL), (
        "pip is only in the build stage"
    )


def test_final_stage() -> None:
    found = dict(FINAL)
    assert found["USER"] == "10001:10001"
    assert found["EXPOSE"] == "25 8080"
    assert found["VOLUME"] == found["WORKDIR"] == "/var/lib/emailrouter"
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(found["ENTRYPOINT"]) == ["emailrouter"]
    assert json.loads(found["CMD"]) == ["serve"]
    options, _, command = found["HEALTHCHECK"].partition(" CMD ")
    interpreter, script = json.loads(command)
    assert "--start-period=" in options
    assert interpreter == "/opt/emailrouter/bin/python"
    assert ("COPY", f"packaging/image/healthcheck.py {script}") in FINAL
    assert any("setcap cap_net_bind_service=+ep" in rest for _, rest in FINAL)


def test_copied_files_exist_and_are_in_the_build_context() -> None:
    patterns = (IMAGE / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert patterns[0] == "**", "only named files are in the context: no database, key or .env"
    admitted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["shared-data"], "pyproject.toml", project["project"]["readme"], "LICENSE"]
    needed += ["requirements.lock", "requirements-build.lock", "packaging/install.sh"]
    needed += [rest.split()[0] for kind, rest in FINAL if kind == "COPY" and not rest.startswith("--from")]
    for path in needed:
        assert (ROOT / path).exists()
        assert any(fnmatch.fnmatch(path, one) or path.startswith(f"{one}/") for one in admitted), path


def test_environment_is_installed_with_hashes() -> None:
    script = (ROOT / "packaging" / "install.sh").read_text(encoding="utf-8")
    installs = re.findall(r"pip\"? (?:install|wheel) .*", script)
    assert len(installs) == 4
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line


def test_defaults_of_the_image_are_valid() -> None:
    config = load(IMAGE / "emailrouter.toml", {"STATE_DIRECTORY": "/var/lib/emailrouter"})
    assert list(map(str, config.smtp.listen)) == ["0.0.0.0:25", "[::]:25"]
    assert str(config.database.url) == "sqlite:////var/lib/emailrouter/emailrouter.db"
    assert str(config.server.data_dir) == "/var/lib/emailrouter"


def test_compose_of_the_program() -> None:
    service = SQLITE["services"]["emailrouter"]
    assert service["network_mode"] == "host"
    assert "ports" not in service
    assert service["read_only"] is True
    assert service["tmpfs"]
    assert (service["cap_drop"], service["cap_add"]) == (["ALL"], ["NET_BIND_SERVICE"])
    assert "no-new-privileges:true" not in service.get("security_opt", []), "it disables file capabilities"
    assert service["pull_policy"] == "never"
    assert service["stop_grace_period"] == "30s"
    assert "data:/var/lib/emailrouter" in service["volumes"]
    grace = parse_duration(service["environment"]["EMAILROUTER_SMTP__SHUTDOWN_GRACE"])
    assert grace < parse_duration("30s")
    text = (IMAGE / "compose.yaml").read_text(encoding="utf-8")
    assert re.search(r"bridge network every client.*\n(?:.*#.*\n)*\s+network_mode: host", text), "the reason"


@pytest.mark.parametrize(
    ("document", "name"), [(SQLITE, "emailrouter"), (POSTGRES, "emailrouter"), (POSTGRES, "migrate")]
)
def test_environment_is_valid(document: dict[str, Any], name: str, tmp_path: Path) -> None:
    environ = {}
    for variable, value in document["services"][name]["environment"].items():
        text = re.sub(r"\$\{\w+(?::[-?]([^}]*))?\}", lambda match: match[1] or "x", str(value))
        if text.startswith("set MAIL_HOSTNAME"):
            text = text.rpartition(" ")[2]
        if variable.endswith("_FILE"):
            assert text.removeprefix("/run/secrets/") in document["services"][name]["secrets"]
            text = str(tmp_path / "url")
            (tmp_path / "url").write_text("postgresql://emailrouter:x@/emailrouter?host=/run/postgresql")
        environ[variable] = text
    load(IMAGE / "emailrouter.toml", environ)


@pytest.mark.parametrize("document", [SQLITE, POSTGRES])
def test_references_are_declared(document: dict[str, Any]) -> None:
    services = SQLITE["services"] | document["services"]
    volumes = (SQLITE["volumes"] | document["volumes"]).keys()
    for service in document["services"].values():
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= volumes
        assert set(service.get("secrets", [])) <= document.get("secrets", {}).keys()
        for name, dependency in service.get("depends_on", {}).items():
            assert dependency["condition"] != "service_healthy" or "healthcheck" in services[name]


def test_compose_of_postgres() -> None:
    services = POSTGRES["services"]
    assert services["postgres"]["network_mode"] == services["migrate"]["network_mode"] == "none"
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert (
        services["migrate"]["image"].partition(":")[0] == SQLITE["services"]["emailrouter"]["image"].partition(":")[0]
    )
    assert services["emailrouter"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert not any("password" in str(value).lower() for value in services["emailrouter"]["environment"].values())
