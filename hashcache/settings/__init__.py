"""
Every knob of hashcache: read once, at the top, from a mapping; checked; frozen; passed down.

Rule 1: nothing in here reads the environment, a file or a clock: `__main__` does, and hands the text in.
Rule 2: zero configuration works: `load({})` is a service on this machine.
"""

from __future__ import annotations

from hashcache.settings.alerting import Thresholds
from hashcache.settings.credentials import ApiKey
from hashcache.settings.env_file import read_env_file
from hashcache.settings.knob import Knob
from hashcache.settings.knobs import KNOBS
from hashcache.settings.loading import load
from hashcache.settings.model import Generic, Settings, Vendor, is_loopback

__all__ = [
    "KNOBS",
    "ApiKey",
    "Generic",
    "Knob",
    "Settings",
    "Thresholds",
    "Vendor",
    "is_loopback",
    "load",
    "read_env_file",
]
