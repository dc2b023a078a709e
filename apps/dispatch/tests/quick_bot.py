"""The dispatch bot with short leases, so that a test does not wait for a dead process as long as a server would."""

from dispatch.app import app
from turnkeeper import Settings, seconds

app.settings = Settings(
    lease=seconds(2), renew_every=seconds(0.5), send_lease=seconds(3), send_timeout=seconds(2), poll=seconds(0.2)
)
