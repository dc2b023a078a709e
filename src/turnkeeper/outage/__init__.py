"""What happens while the store is away: a circuit breaker around it, and the policies `fail`, `queue`, `carry_on`."""

from turnkeeper.outage.breaker import Breaker, StoreDownError
from turnkeeper.outage.guarded import GuardedStore
from turnkeeper.outage.standing import Conflict, Health

__all__ = ["Breaker", "Conflict", "GuardedStore", "Health", "StoreDownError"]
