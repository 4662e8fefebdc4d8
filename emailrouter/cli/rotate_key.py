"""`rotate-key`: replaces the secret key and re-encrypts all secrets."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from config.secret import Secret
from emailrouter.assembly.core import Core
from emailrouter.cli import console
from emailrouter.cli.context import confirm, confirmation_option, run_with_core
from router.admin.installation import key_rotation
from router.admin.installation.key_rotation import KeyRotationService
from router.errors import Refused
from router.secrets import KEY_FILE, fingerprint, load_or_create_key, new_key


@click.command(cls=console.Command, name="rotate-key", examples=["rotate-key"])
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="If server.secret_key is set: a file with the new key, created if it does not exist.",
)
@confirmation_option
@click.pass_context
def rotate_key(ctx: click.Context, new_key_file: Path | None, yes: bool) -> None:
    """Replace the secret key of the installation.

    Every webhook URL, smarthost password and DKIM key is encrypted again, in one transaction. Copy the new key to
    every other host that uses the database, then restart every process. A process with the old key cannot decrypt
    them: it marks integrations as failing, and posts and replies wait until a later retry succeeds. Answers that
    only have the token of a ticket (alias+t-TOKEN@) made with the old key open a new ticket.
    """
    invocation = console.get_invocation(ctx)
    server = invocation.load_config().server
    if server.secret_key is not None and new_key_file is None:
        raise Refused(
            "conflict",
            "server.secret_key is set in the configuration, which this command does not change: "
            "use --new-key-file PATH, then set server.secret_key to the key in that file",
        )
    if server.secret_key is None and new_key_file is not None:
        raise click.UsageError(
            f"--new-key-file requires server.secret_key; {server.data_dir / KEY_FILE} is replaced in place"
        )
    confirm("Replace the secret key? Every process must be restarted afterwards.", yes=yes)

    async def work(core: Core) -> tuple[int, str]:
        rotation = KeyRotationService(core.database, core.clock)
        if server.secret_key is not None and new_key_file is not None:
            key = _next_key(new_key_file, server.secret_key)
            return await rotation.reencrypt_all(server.secret_key.reveal(), key), fingerprint(key)
        old = load_or_create_key(server.data_dir)
        key = key_rotation.write_next_key(server.data_dir)
        try:
            reencrypted_count = await rotation.reencrypt_all(old, key)
        except Refused:
            key_rotation.discard_next_key(server.data_dir)
            raise
        key_rotation.complete_rotation(server.data_dir, fingerprint(key))
        return reencrypted_count, fingerprint(key)

    reencrypted_count, key_fingerprint = run_with_core(ctx, work, secrets=True)
    key_path = (new_key_file or server.data_dir / KEY_FILE).absolute()
    if invocation.as_json:
        console.print_json({"resealed": reencrypted_count, "fingerprint": key_fingerprint, "keyFile": str(key_path)})
        return
    click.echo(
        f"{reencrypted_count} secrets were re-encrypted with the new key in {key_path} (fingerprint {key_fingerprint})."
    )
    if new_key_file is not None:
        click.echo("Set server.secret_key to the new key on every host, then restart every process.")
    else:
        click.echo("Copy the file to every other host of this database, then restart every process.")


def _next_key(path: Path, current: Secret) -> str:
    with contextlib.suppress(FileExistsError):  # the operator provided the key
        key_rotation.write_key(path, new_key())
    try:
        secret = Secret.parse(path.read_text(encoding="utf-8").strip())
    except ValueError as error:
        raise click.UsageError(f"--new-key-file {path} {error}") from None
    if secret == current:
        raise click.UsageError(f"--new-key-file {path} contains the current key")
    return secret.reveal()


COMMANDS = (rotate_key,)
