"""What the chats show of an order: the card in the group, the question to a vendor. Pure text and buttons."""

from dispatch.clicks import button
from dispatch.order import ASSIGNED, DELIVERED, NEW, Order
from dispatch.team import TEAM
from turnkeeper import Button

ASAP = "asap"
LATER = "later"

CARD = "card"
"""Key of the card in the group."""

MAX_CARD_CHARACTERS = 2000
"""Telegram takes 4,096 units of UTF-16, and an emoji is two of them."""

MAX_BUTTONS = 100
"""Of one message. What does not fit comes up when what stands before it is done."""

SHIFTS_MINUTES = (10, 20, 30)
"""By how much a vendor may put a time off with one click."""


def card_text(order: Order) -> str:
    """Return the card: what, for whom, where it stands."""
    customer = order.customer
    lines = [f"{_mark(order)} {order.name}", f"Wanted: {order.requested_time}"]
    lines += [part for part in (f"{customer.name} {customer.phone}".strip(), customer.address, customer.zip) if part]
    for vendor in order.vendors:
        lines.append(f"{vendor}: {_vendor_state(order, vendor)}")
        lines += [f"  {item}" for item in order.vendor_items.get(vendor, [])]
    if order.note:
        lines.append(f"“{order.note}”")
    if order.total:
        lines.append(f"Total: {order.total}")
    if order.status != NEW:
        lines.append(f"{'Delivered by' if order.status == DELIVERED else 'With'} {order.assigned_to}")
    return _cut("\n".join(lines))


def _cut(text: str) -> str:
    """Return the text as far as one message of Telegram holds it."""
    return text if len(text) <= MAX_CARD_CHARACTERS else f"{text[:MAX_CARD_CHARACTERS]} …"


def _mark(order: Order) -> str:
    return {NEW: "🟢" if order.is_ready else "🆕", ASSIGNED: "🚴", DELIVERED: "✅"}[order.status]


def _vendor_state(order: Order, vendor: str) -> str:
    if vendor in order.confirmed_times:
        return f"✅ {order.confirmed_times[vendor]}"
    asked = order.asked.get(vendor)
    return f"asked for {asked.time} …" if asked else "not asked yet"


def superseded_text(order: Order) -> str:
    """Return what becomes of a message that was said once more."""
    return f"⬇️ {order.name}: below"


def card_buttons(order_id: str, order: Order) -> list[Button]:
    """Return what the group can do now."""
    if order.status == DELIVERED:
        return [button("↩️ Not delivered", order_id, "undelivered", version=order.assignments)]
    if order.status == ASSIGNED:
        return [
            button("✅ Delivered", order_id, "delivered", version=order.assignments),
            button("↩️ Give back", order_id, "release", version=order.assignments),
        ]
    if order.is_ready:
        others = [button(f"👤 {name}", order_id, "assign", name, version=order.assignments) for name in TEAM.couriers]
        return [button("🚴 I take it", order_id, "take", version=order.assignments), *others][:MAX_BUTTONS]
    buttons = []
    for vendor in order.vendors:
        if vendor in order.confirmed_times:
            continue
        version = order.asked[vendor].round if vendor in order.asked else 0
        buttons.append(button(f"{vendor}: asap?", order_id, "ask", vendor, time=ASAP, version=version))
        if order.requested_time != ASAP:
            wanted = order.requested_time
            buttons.append(button(f"{vendor}: {wanted}?", order_id, "ask", vendor, time=wanted, version=version))
        buttons.append(button(f"{vendor}: later", order_id, "ask", vendor, time=LATER, version=version))
    return buttons[:MAX_BUTTONS]


def question_text(order: Order, vendor: str, time: str) -> str:
    """Return what a vendor is asked."""
    items = "\n".join(f"  {item}" for item in order.vendor_items.get(vendor, []))
    wish = {ASAP: "as soon as possible", LATER: "when? Choose a time"}.get(time, f"at {time}")
    return _cut(f"{order.name}: {wish}{'.' if time == LATER else '?'}\n{items}")


def question_buttons(order_id: str, order: Order, vendor: str, times: list[str]) -> list[Button]:
    """Return the times that a vendor can confirm with one click."""
    version = order.asked[vendor].round
    return [button(f"✅ {time}", order_id, "confirm", vendor, time=time, version=version) for time in times]


def confirmed_text(order: Order, vendor: str) -> str:
    """Return what stands in a vendor's chat once it has confirmed."""
    items = "\n".join(f"  {item}" for item in order.vendor_items.get(vendor, []))
    return _cut(f"{order.name}: ✅ {order.confirmed_times[vendor]}\n{items}")
