"""
The command line. Each command is a module; an error is a clear line and an exit code.

Exit codes: 0 done, 1 it failed, 2 wrong use or wrong settings.

Rule: a command's module is imported when that command is asked for: nobody waits for a server to learn the version.
"""

from __future__ import annotations

from importlib import import_module

import click

from hashcache import __version__
from hashcache.cli.world import World

__all__ = ["World", "main"]

_COMMANDS = ("keys", "providers", "reanalyse", "serve", "spend")


class _Commands(click.Group):
    """The modules beside this one, each with the command of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"hashcache.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hashcache")
def main() -> None:
    """Never pay twice to analyse the same bytes."""
