"""Owns how many files the process may have open: every connection is one, and systems start with a thousand."""

import resource

# The journal, the listeners, the event loop and what libraries keep open.
OTHERS = 128


def make_room(connections_max: int, upstream_connections_max: int) -> int:
    """Raises the limit as far as it must and may be raised. Returns how many files are then still too few; 0: enough.

    `upstream_connections_max` is of one origin; that many are counted once, since callers are shared by the origins.
    """
    needed = connections_max + upstream_connections_max + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return 0
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(0, needed - allowed)
