"""Idempotency-Key for POST requests: the same request, sent again, gets the same answer.

A router takes `route_class=IdempotentRoute`. Kept is what succeeded, for 24 hours: an error leaves
the key free at once, since the request may be sent again as it is or mended. A request that dies
with its process, or runs out of time, leaves the key free when its lock has run out.

Not for uploads: the body would have to be read twice, and the same bytes are the same dataset.
"""

from trainyard_api.idempotency.keys import pruning
from trainyard_api.idempotency.route import IdempotentRoute

__all__ = ["IdempotentRoute", "pruning"]
