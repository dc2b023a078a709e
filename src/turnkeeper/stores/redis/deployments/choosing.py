"""Which wire a URL asks for: one server, a primary that sentinels watch, or a cluster."""

from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url
from turnkeeper.stores.redis.connections.addresses import parse_place
from turnkeeper.stores.redis.connections.proving import PROOF_MS, Durability, Proof
from turnkeeper.stores.redis.connections.server import Primaries
from turnkeeper.stores.redis.deployments.cluster import ClusterWire
from turnkeeper.stores.redis.deployments.sentinel import Sentinels
from turnkeeper.stores.redis.deployments.single import ANSWER_SECONDS, SingleConnectionWire
from turnkeeper.stores.redis.deployments.wire import Wire

_SINGLE = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}

_SEVERAL = tuple(f"{one}+{kind}" for kind in ("sentinel", "cluster") for one in _SINGLE if one != "unix")

SCHEMES = (*_SINGLE, *_SEVERAL)
"""What a URL may begin with."""

MAX_REPLICAS = 16
"""More than a primary can feed."""


def open_wire(
    url: str,
    *,
    durability: Durability = "memory",
    replicas: int = 1,
    proof_ms: int | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Wire:
    """Return the wire that a URL asks for. Nothing is connected yet.

    Args:
        url: One of `SCHEMES`, with the parameters of redis-py's connections and none of ours;
            `redis+sentinel://host:port,host:port/service/database` with `sentinel_username` and `sentinel_password`,
            `redis+cluster://host:port,host:port`.
        durability: What must have a write before it counts.
        replicas: How many replicas, at the levels that have some.
        proof_ms: How long to wait for replicas and disks; what takes longer raises `OutcomeUnknownError`. At most
            half the time for an answer; None: `PROOF_MS` of the level.
        answer_seconds: How long any answer may take before its connection is given up.

    Raises:
        ConfigurationError: The URL cannot be read.
    """
    if not 1 <= replicas <= MAX_REPLICAS:
        raise ConfigurationError(f"replicas is a number from 1 to {MAX_REPLICAS}, not {replicas}")
    if proof_ms is None:
        proof_ms = PROOF_MS[durability]
    proof_ms = max(min(proof_ms, int(answer_seconds * 500)), 1)  # an answer that is given up before proves nothing
    proof = Proof(durability=durability, replicas=replicas, wait_ms=proof_ms, answer_seconds=answer_seconds)
    scheme, _, rest = url.partition(":")
    if scheme in _SINGLE:
        return SingleConnectionWire.to(f"{_SINGLE[scheme]}:{rest}", answer_seconds=answer_seconds, proof=proof)
    if scheme not in _SEVERAL:
        raise ConfigurationError(f"{mask_url(url)!r}: write one of {', '.join(f'{one}://' for one in SCHEMES)}")
    place = parse_place(url)
    if place.kind == "cluster":
        return ClusterWire(place, answer_seconds=answer_seconds, proof=proof)
    sentinels = Sentinels(place, answer_seconds=answer_seconds)
    return SingleConnectionWire(sentinels.dial, url=place.url, primaries=Primaries(are_found=True), proof=proof)
