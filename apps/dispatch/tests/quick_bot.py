"""The dispatch bot with short leases, so that a test does not wait for a dead process as long as a server would."""

import os

from dispatch.app import app
from turnkeeper import Settings, seconds

SEND_SECONDS = float(os.environ.get("DISPATCH_SEND_SECONDS", "2"))
"""How long one send may take. A large burst on a small machine needs more, or it repeats what was only slow."""

app.settings = Settings(
    lease=seconds(2),
    renew_every=seconds(0.5),
    send_lease=seconds(SEND_SECONDS + 1),
    send_timeout=seconds(SEND_SECONDS),
    poll=seconds(0.2),
)
