"""`hashcache completion`: what a shell needs to complete commands, options and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """
    Print the completion script of SHELL.

    bash: eval "$(hashcache completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish: hashcache completion fish >
    ~/.config/fish/completions/hashcache.fish.
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}")
    root = context.find_root().command
    # Not `source()`: for bash that starts bash to look at its version.
    script = made(root, {}, "hashcache", "_HASHCACHE_COMPLETE")
    click.echo(script.source_template % script.source_vars())
