"""
Who is paid for an analysis: one module per vendor, and `provenance`, which is free and needs no vendor.

Rule: providers see `ports` and `core` only, never each other.
"""
