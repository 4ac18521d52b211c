"""What the commands may know of the world outside: its variables, and a way to hand one down to worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import click

from hashcache.core.errors import SettingsError
from hashcache.settings import Settings, load


@dataclass(frozen=True, slots=True)
class World:
    """*variables*: the environment over the `.env` file; *export* sets one for the processes started from here."""

    variables: Mapping[str, str] = field(repr=False)
    export: Callable[[str, str], None]

    def settings(self, **changed: str | None) -> Settings:
        """
        The settings, with some variables *changed* by options (None: not given).

        Raises:
            WrongSettings: what is wrong, one line each.
        """
        options = {name: value for name, value in changed.items() if value is not None}
        for name, value in options.items():
            self.export(name, value)
        try:
            return load({**self.variables, **options})
        except SettingsError as error:
            raise WrongSettings(str(error)) from None


class WrongSettings(click.ClickException):
    """The settings are wrong: exit code 2, as for wrong use."""

    exit_code = 2
