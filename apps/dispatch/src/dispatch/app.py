"""The dispatch bot as an application: `turnkeeper serve dispatch.app:app`.

`TELEGRAM_TOKEN` and `TELEGRAM_SECRET` name the bot; `DISPATCH_TEAM` the file with its chats; `DISPATCH_SECRET_DISHBEE`
and `DISPATCH_SECRET_SMOOTHR` the shops' signing secrets; `TELEGRAM_API` another Bot API server. Without a token all
secrets are the demonstration's, which anybody can read; with one, what is not set is refused.
"""

import os
from collections.abc import Mapping

import msgspec

from dispatch.clicks import route
from dispatch.flow import flow
from dispatch.shops import DEMO_SECRET, OrderWebhook
from turnkeeper import App, ConfigurationError, Kind, Message, choose_store
from turnkeeper.channels.telegram import API, Accepted, Telegram

DEMO_TOKEN = "1:demo"  # noqa: S105 - of no account


def telegram_from(environ: Mapping[str, str]) -> Telegram:
    """Return the bot of the environment, else the demonstration's.

    Raises:
        ConfigurationError: There is a token without a secret: anybody could send updates.
    """
    token, secret = environ.get("TELEGRAM_TOKEN", ""), environ.get("TELEGRAM_SECRET", "")
    if not token:
        token, secret = DEMO_TOKEN, secret or DEMO_SECRET
    if not secret:
        raise ConfigurationError("TELEGRAM_TOKEN is set: set TELEGRAM_SECRET as well, as setWebhook was given it")
    return Telegram(token, secret=secret, route=route, api=environ.get("TELEGRAM_API") or API)


telegram = telegram_from(os.environ)

app = App(
    flow,
    store=choose_store(os.environ).url,
    channels=[telegram],
    webhooks=[telegram, OrderWebhook()],
    outage="carry_on",
)

orders = app.view(flow)
"""Every order, live in memory: `orders["5866"].confirmed_times`."""


async def keep_message_id(accepted: Accepted) -> None:
    """Bring the id under which something can be edited back to its order, as a turn."""
    order_id, _, key = accepted.key.partition("|")
    report = {"key": key, "chat": accepted.chat, "message_id": accepted.message_id, "lost": accepted.lost}
    await app.accept(
        order_id,
        Message(
            id=f"placed:{accepted.chat}:{accepted.message_id}",
            kind=Kind.ACTION,
            text="placed",
            data=msgspec.Raw(msgspec.json.encode(report)),
        ),
    )


telegram.on_accepted = keep_message_id
