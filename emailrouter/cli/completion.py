"""`completion`: prints the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from emailrouter.cli import console
from emailrouter.cli.bash_completion import BashCompletion

_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=console.Command, name="completion", examples=["completion bash"])
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell completion script.

    It completes commands, options, and the names of domains, aliases, integrations, users, tags and workspaces.

    bash: add `eval "$(emailrouter completion bash)"` to ~/.bashrc. zsh: add the same line with `zsh` to ~/.zshrc.
    fish: write the script to ~/.config/fish/completions/emailrouter.fish.
    """
    completion_class = BashCompletion if shell == "bash" else get_completion_class(shell)
    if completion_class is None:
        raise click.UsageError(f"{shell} is not supported by this version of click")
    # For bash, `source()` would run bash, which may not be installed here.
    renderer = completion_class(ctx.find_root().command, {}, "emailrouter", console.COMPLETE_VARIABLE)
    click.echo(renderer.source_template % renderer.source_vars())


COMMANDS = (completion,)
