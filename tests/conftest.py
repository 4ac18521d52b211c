"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a shared machine an example may be slow without being wrong; pytest's own timeout bounds the whole test.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
