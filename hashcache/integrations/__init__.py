"""
The library: the same cache for any function of one's own application that is slow or paid.

Users import its names from `hashcache` itself. Rule: nothing in here knows HTTP, a store's technology or the service.
"""
