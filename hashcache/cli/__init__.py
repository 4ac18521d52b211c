"""
The command line. Each command is a module; an error is a clear line and an exit code.

Exit codes: 0 done, 1 it failed, 2 wrong use or wrong settings, 3 a verdict was found that `--fail-on` names,
130 interrupted (Ctrl-C).

Rule: a command's module is imported when that command is asked for: nobody waits for a server to learn the version.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from hashcache import __version__
from hashcache.cli.world import World

__all__ = ["World", "main"]

_COMMANDS = (
    "analyze",
    "clear",
    "completion",
    "doctor",
    "export",
    "import",
    "inspect",
    "keys",
    "lookup",
    "providers",
    "reanalyse",
    "serve",
    "spend",
    "stats",
    "warm",
)
#: The modules whose name would be a word of Python's.
_MODULES = {"import": "importing", "export": "exporting"}
_INTERRUPTED = 130


class _Commands(click.Group):
    """The modules beside this one, each with the command of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"hashcache.cli.{module}"), module)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C is an exit code of its own, also at a question."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hashcache")
def main() -> None:
    """Never pay twice to analyse the same bytes."""
