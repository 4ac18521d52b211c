"""
The library: the same cache for any function of one's own application that is slow or paid.

Users import its names from `hashcache` itself, and those for routes from the modules `starlette` and `admin`, or
`flask` and `flask_admin`, in here.
Rule: nothing else in here knows a framework, and nothing at all a store's technology or the service.
"""
