"""A stand-in for the image `postgres:17`, from Debian's PostgreSQL 17, with those of its variables that we use.

The official image cannot be pulled where the walk has no registry.
"""

from pathlib import Path

from tests.system.image.engine import Engine

IMAGE = "postgres:17"
_DOCKERFILE = """ARG BASE
FROM ${BASE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql-17 \\
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/17
COPY entrypoint /entrypoint
ENV PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["bash", "/entrypoint"]
"""
_ENTRYPOINT = """set -eu
run() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
install -d -m 700 -o postgres -g postgres "$PGDATA"
install -d -m 3775 -o postgres -g postgres /var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    export PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
    printf '%s' "$PGPASSWORD" | run tee /tmp/password > /dev/null
    run initdb --username="$POSTGRES_USER" --pwfile=/tmp/password $POSTGRES_INITDB_ARGS
    rm /tmp/password
    run pg_ctl --wait start --options="-c listen_addresses=''"
    run createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    run pg_ctl --wait --mode=fast stop
    unset PGPASSWORD
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups -- postgres
"""


def build(engine: Engine, base: str, folder: Path) -> None:
    context = folder / "postgres"
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE)
    (context / "entrypoint").write_text(_ENTRYPOINT)
    engine.run(f"podman build --format=docker --layers=false --build-arg=BASE={base} --tag={IMAGE} {context}")
