"""`completion`: prints the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from emailrouter.cli import console

_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=console.Command, name="completion", examples=["completion bash"])
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell completion script.

    bash: add `eval "$(emailrouter completion bash)"` to ~/.bashrc. zsh: add the same line with `zsh` to ~/.zshrc.
    fish: write the script to ~/.config/fish/completions/emailrouter.fish.
    """
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise click.UsageError(f"{shell} is not supported by this version of click")
    # For bash, `source()` would run bash, which may not be installed here.
    renderer = completion_class(ctx.find_root().command, {}, "emailrouter", "_EMAILROUTER_COMPLETE")
    click.echo(renderer.source_template % renderer.source_vars())


COMMANDS = (completion,)
