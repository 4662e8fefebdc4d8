"""`completion`: prints the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from emailrouter.cli import console

_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=console.Command, name="completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell completion script.

    bash: add `eval "$(emailrouter completion bash)"` to ~/.bashrc. zsh: add the same line with `zsh` to ~/.zshrc.
    fish: write the script to ~/.config/fish/completions/emailrouter.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported by this version of click")
    # The template alone, without asking the shell for its version, which need not be on this machine.
    maker = kind(ctx.find_root().command, {}, "emailrouter", "_EMAILROUTER_COMPLETE")
    click.echo(maker.source_template % maker.source_vars())


COMMANDS = (completion,)
