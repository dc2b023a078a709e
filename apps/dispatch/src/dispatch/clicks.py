"""Buttons: what their data says, and what a click brings into an order's turn.

The data is `order|action|what|time|version`, at most 64 bytes; the version tells a button of an old keyboard.
"""

import hashlib
import re

import msgspec

from dispatch.order import ORDER_ID
from turnkeeper import Arrival, Button, Kind, Message
from turnkeeper.channels.telegram import CLICK, Update

SEPARATOR = "|"

ACTIONS = frozenset({"ask", "confirm", "take", "assign", "delivered", "undelivered", "release"})
"""What a click can do. Nothing else that a button says gets to the flow: its data can be made up by who presses it."""

OUTDATED = "outdated"
"""What a click becomes whose button says nothing of that: it was made by an earlier version, or by nobody."""

_TIME = re.compile(r"|asap|later|([01][0-9]|2[0-3]):[0-5][0-9]")
_VERSION = re.compile("[0-9]{1,6}")


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """Who pressed what. `query` is the id by which it is answered; `what` may be a vendor, a time or a name."""

    query: str
    by: str
    what: str = ""
    time: str = ""
    version: int = 0

    @property
    def answer_to(self) -> str:
        """Return the address of the answer: a short text over the chat."""
        return f"{CLICK}{self.query}"


MAX_WHAT_BYTES = 20
"""Of a button's 64: the longest order id, action, time and version leave so many."""


def short(name: str) -> str:
    """Return what stands for a name in a button: the name, or its digest where it does not fit."""
    if len(name.encode()) <= MAX_WHAT_BYTES and SEPARATOR not in name:
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def button(text: str, order_id: str, action: str, what: str = "", *, time: str = "", version: int = 0) -> Button:
    """Return a button of an order."""
    return Button(text=text, data=SEPARATOR.join((order_id, action, short(what), time, str(version))))


def route(update: Update) -> Arrival | None:
    """Return a click as a message to its order; anything else that is said in the chats is nobody's."""
    click = update.callback_query
    if click is None:
        return None
    order_id, *parts = click.data.split(SEPARATOR)
    if not ORDER_ID.fullmatch(order_id):
        return None
    action, pressed = OUTDATED, Click(query=click.id, by=click.sender.name)
    if _is_ours(parts):
        action, what, time, version = parts
        pressed = msgspec.structs.replace(pressed, what=what, time=time, version=int(version))
    return Arrival(
        person=order_id,
        message=Message(
            id=f"telegram:{update.update_id}",
            kind=Kind.ACTION,
            text=action,
            data=msgspec.Raw(msgspec.json.encode(pressed)),
        ),
    )


def _is_ours(parts: list[str]) -> bool:
    """Return whether the data of a button, after the order's id, is what `button` makes today."""
    if len(parts) != 4:  # noqa: PLR2004 - the five of the module's docstring, without the order
        return False
    action, _, time, version = parts
    return action in ACTIONS and _TIME.fullmatch(time) is not None and _VERSION.fullmatch(version) is not None
