"""The dispatch of an order as a flow: every webhook and every click is a turn on the order.

A click is always answered, also one that comes too late: two couriers who take one order in the same moment both hear
who has it.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispatch import cards
from dispatch.clicks import OUTDATED, Click, short
from dispatch.order import ASSIGNED, DELIVERED, NEW, Asked, Happening, Order
from dispatch.shops import Received
from dispatch.team import TEAM
from turnkeeper import Button, Flow, Struct, Turn, days
from turnkeeper.channels.telegram import Telegram

TELEGRAM = Telegram.name

flow = Flow(
    "dispatch",
    Order,
    start=NEW,
    state_key="order:{id}",
    forget_after=days(7),
    carrier_words=False,
)
flow.status(NEW, help="Vendors are asked for their times.")
flow.status(ASSIGNED, help="A courier has it.")
flow.status(DELIVERED, help="The customer has it.")

_STEP = timedelta(minutes=5)
"""Times of day are offered in steps of this."""


class Placed(Struct):
    """What Telegram says of something that was posted."""

    key: str
    chat: str
    message_id: str
    lost: str = ""


@flow.action("order")
async def receive(turn: Turn[Order], received: Received) -> None:
    """Take an order in, or a newer version of it; an older one changes nothing."""
    order = turn.state
    if order.updated_at is not None and received.updated_at <= order.updated_at:
        return
    is_new = order.created_at is None
    before = order.vendor_items
    order.name, order.order_type = received.name, received.order_type
    order.vendors, order.vendor_items = received.vendors, received.vendor_items
    order.customer, order.note, order.total = received.customer, received.note, received.total
    order.created_at, order.updated_at = received.created_at, received.updated_at
    order.requested_time = received.requested_time
    for vendor in set(order.asked) | set(order.confirmed_times):
        if before.get(vendor) != received.vendor_items.get(vendor):  # what they said was about something else
            order.confirmed_times.pop(vendor, None)
            order.asked.pop(vendor, None)
    _note(turn, Happening(type="received" if is_new else "changed"))
    _show(turn)


@flow.action("placed")
async def placed(turn: Turn[Order], report: Placed) -> None:
    """Keep under which id something can be edited.

    A shop's second webhook may come before the first one's card has its id, and is shown on a card of its own: then
    the earlier card says so, and loses its buttons.
    """
    messages = turn.state.messages.setdefault(report.chat, {})
    before = messages.get(report.key, "")
    messages[report.key] = report.message_id
    if before in {"", report.message_id, report.lost}:
        return
    turn.reply(cards.superseded_text(turn.state), channel=TELEGRAM, to=report.chat, edits=before)
    if report.key == cards.CARD:
        _show(turn)


@flow.action("ask", when=NEW)
async def ask(turn: Turn[Order], click: Click) -> None:
    """Ask a vendor for a time."""
    order, vendor = turn.state, _vendor(turn, click)
    asked = order.asked.get(vendor)
    if vendor not in order.vendors:
        _answer(turn, click, _changed(order))
        return
    if vendor in order.confirmed_times:
        _answer(turn, click, f"{vendor} has confirmed already.")
        return
    if click.version != (asked.round if asked else 0):
        _answer(turn, click, f"{vendor} was asked already, for {asked.time if asked else 'nothing'}.")
        return
    if vendor not in TEAM.vendors:
        _answer(turn, click, f"No chat is known for {vendor}; call them.")
        return
    order.asked[vendor] = Asked(time=click.time, round=click.version + 1)
    _note(turn, Happening(type="time_sent", vendor=vendor, time=click.time))
    text = cards.question_text(order, vendor, click.time)
    _post(
        turn,
        TEAM.vendors[vendor],
        f"ask {vendor}",
        text,
        cards.question_buttons(turn.peer, order, vendor, _times(turn, click.time)),
    )
    _answer(turn, click, f"{vendor} was asked.")
    _show(turn)


@flow.action("confirm", when=NEW)
async def confirm(turn: Turn[Order], click: Click) -> None:
    """Take a vendor's time."""
    order, vendor = turn.state, _vendor(turn, click)
    asked = order.asked.get(vendor)
    if vendor in order.confirmed_times:
        _answer(turn, click, f"Already confirmed for {order.confirmed_times[vendor]}.")
        return
    if asked is None or asked.round != click.version:
        _answer(turn, click, "This question is out of date.")
        return
    order.confirmed_times[vendor] = click.time
    _note(turn, Happening(type="time_confirmed", vendor=vendor, time=click.time))
    _answer(turn, click, f"Thank you: {click.time}.")
    _post(turn, TEAM.vendors[vendor], f"ask {vendor}", cards.confirmed_text(order, vendor), [])
    _show(turn)


@flow.action("take", when=NEW, to=(NEW, ASSIGNED))
async def take(turn: Turn[Order], click: Click) -> None:
    """Give the order to who pressed."""
    _assign(turn, click, click.by)


@flow.action("assign", when=NEW, to=(NEW, ASSIGNED))
async def assign(turn: Turn[Order], click: Click) -> None:
    """Give the order to somebody by name."""
    _assign(turn, click, next((name for name in TEAM.couriers if short(name) == click.what), click.what))


def _assign(turn: Turn[Order], click: Click, courier: str) -> None:
    order = turn.state
    if not order.is_ready:
        _answer(turn, click, "Not every vendor has confirmed yet." if order.vendors else _changed(order))
        return
    if click.version != order.assignments:
        _answer(turn, click, "This button is out of date.")
        return
    order.assigned_to = courier
    order.assignments += 1
    turn.go(ASSIGNED)
    _note(turn, Happening(type="assigned", assigned_to=courier))
    _answer(turn, click, "It is yours." if courier == click.by else f"{courier} has it.")
    _show(turn)


@flow.action("delivered", when=ASSIGNED, to=(ASSIGNED, DELIVERED))
async def delivered(turn: Turn[Order], click: Click) -> None:
    """Close the order."""
    if _is_old(turn, click):
        return
    turn.go(DELIVERED)
    _note(turn, Happening(type="delivered", assigned_to=turn.state.assigned_to))
    _answer(turn, click, "Delivered.")
    _show(turn)


@flow.action("undelivered", when=DELIVERED, to=(DELIVERED, ASSIGNED))
async def undelivered(turn: Turn[Order], click: Click) -> None:
    """Open it again, with the same courier."""
    if _is_old(turn, click):
        return
    turn.go(ASSIGNED)
    _note(turn, Happening(type="undelivered", assigned_to=turn.state.assigned_to))
    _answer(turn, click, f"Back with {turn.state.assigned_to}.")
    _show(turn)


@flow.action("release", when=ASSIGNED, to=(ASSIGNED, NEW))
async def release(turn: Turn[Order], click: Click) -> None:
    """Give the order back to everybody."""
    if _is_old(turn, click):
        return
    order = turn.state
    before, order.assigned_to = order.assigned_to, ""
    turn.go(NEW)
    _note(turn, Happening(type="released", assigned_to=before))
    _answer(turn, click, "Given back.")
    _show(turn)


def _is_old(turn: Turn[Order], click: Click) -> bool:
    """Answer a click on a button of an earlier assignment."""
    if click.version == turn.state.assignments:
        return False
    _answer(turn, click, "This button is out of date.")
    return True


@flow.action("ask", when=(ASSIGNED, DELIVERED))
@flow.action("confirm", when=(ASSIGNED, DELIVERED))
@flow.action("take", when=(ASSIGNED, DELIVERED))
@flow.action("assign", when=(ASSIGNED, DELIVERED))
@flow.action("delivered", when=(NEW, DELIVERED))
@flow.action("undelivered", when=(NEW, ASSIGNED))
@flow.action("release", when=(NEW, DELIVERED))
async def too_late(turn: Turn[Order], click: Click) -> None:
    """Say how it stands to whoever presses what no longer applies."""
    order = turn.state
    if order.created_at is None:
        _answer(turn, click, _changed(order))
        return
    _answer(
        turn,
        click,
        {
            NEW: "Nobody has it now.",
            ASSIGNED: f"{order.assigned_to} already has it.",
            DELIVERED: f"Already delivered by {order.assigned_to}.",
        }[turn.status],
    )


@flow.action(OUTDATED)
async def outdated(turn: Turn[Order], click: Click) -> None:
    """Answer a button that an earlier version of this bot made."""
    _answer(turn, click, "This button is out of date." if turn.state.created_at else _changed(turn.state))


def _vendor(turn: Turn[Order], click: Click) -> str:
    """Return the vendor that a button stands for."""
    return next((vendor for vendor in turn.state.vendors if short(vendor) == click.what), click.what)


def _changed(order: Order) -> str:
    """Return why a button of an order leads nowhere: the order is other than it was, or forgotten."""
    return "This order is no longer known." if order.created_at is None else "The order has changed."


def _note(turn: Turn[Order], happening: Happening) -> None:
    turn.state.status_history.append({**happening, "timestamp": turn.now})


def _answer(turn: Turn[Order], click: Click, text: str) -> None:
    turn.reply(text, channel=TELEGRAM, to=click.answer_to)


def _show(turn: Turn[Order]) -> None:
    """Bring the card in the group up to date."""
    order = turn.state
    order.status = turn.status
    _post(turn, TEAM.group, cards.CARD, cards.card_text(order), cards.card_buttons(turn.peer, order))


def _post(turn: Turn[Order], chat: str, key: str, text: str, buttons: list[Button]) -> None:
    """Say something in a chat, in place of what was said there under the same key."""
    edits = turn.state.messages.get(chat, {}).get(key, "")
    turn.reply(text, buttons, channel=TELEGRAM, to=chat, key=f"{turn.peer}|{key}", edits=edits)


def _times(turn: Turn[Order], wish: str) -> list[str]:
    """Return the times of day to offer a vendor: around a wish, from now on, or later."""
    now = turn.now.astimezone(ZoneInfo(TEAM.timezone))
    if wish in {cards.ASAP, cards.LATER}:
        first = now + (timedelta(minutes=10) if wish == cards.ASAP else timedelta(minutes=30))
    else:
        hour, minute = wish.split(":")
        first = now.replace(hour=int(hour), minute=int(minute))
    first = _rounded(first)
    return [f"{first + timedelta(minutes=shift):%H:%M}" for shift in (0, *cards.SHIFTS_MINUTES)]


def _rounded(moment: datetime) -> datetime:
    """Return the next full five minutes."""
    over = timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)
    return moment if not over else moment - over + _STEP
