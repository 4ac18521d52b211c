"""Properties of the core: each example is cheap, but a busy machine may make any of them wait."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
