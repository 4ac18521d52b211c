"""hashcache: never pay twice to analyse the same bytes."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
