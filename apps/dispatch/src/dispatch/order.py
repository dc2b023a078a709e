"""What is kept of an order. The JSON under `order:{id}` has these names; what else stands in it is kept."""

import re
from datetime import datetime
from typing import TypedDict

from msgspec import field

from turnkeeper import Struct

NEW, ASSIGNED, DELIVERED = "new", "assigned", "delivered"

ORDER_ID = re.compile(r"[A-Za-z0-9_\-]{0,23}[A-Za-z0-9]")
"""An order's id. It fits into a button's 64 bytes with everything else."""


class Customer(Struct):
    """Whom it goes to."""

    name: str = ""
    phone: str = ""
    address: str = ""
    zip: str = ""


class Asked(Struct):
    """What a vendor was asked: a time such as `14:35`, `asap`, or `later`. `round` counts the askings."""

    time: str
    round: int


class Happening(TypedDict, total=False):
    """Something that happened: `type` such as `time_sent`, `time_confirmed`, `assigned`, `delivered`."""

    type: str
    vendor: str
    time: str
    assigned_to: str
    timestamp: datetime


class Order(Struct):
    """One order.

    Attributes:
        name: What people call it, such as "dishbee #26".
        order_type: The shop that it came from.
        vendors: Who prepares a part of it, by their short names.
        vendor_items: What each of them prepares, one line an item.
        customer: Whom it goes to.
        status: `new`, `assigned` or `delivered`.
        status_history: What happened, in order.
        created_at: When the shop took it.
        updated_at: When the shop changed it last; an older webhook changes nothing.
        requested_time: When the customer wants it, such as "18:30" or "asap".
        confirmed_times: When each vendor will be ready.
        asked: What each vendor was asked last.
        assigned_to: Name of the courier who has it.
        assignments: How often it changed hands: an old button is known by its number.
        messages: Ids of what was said about it: chat id to key to message id.
        total: As the shop sent it.
        note: What the customer wrote.
    """

    name: str = ""
    order_type: str = ""
    vendors: list[str] = []
    vendor_items: dict[str, list[str]] = {}
    customer: Customer = field(default_factory=Customer)
    status: str = NEW
    status_history: list[Happening] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None
    requested_time: str = "asap"
    confirmed_times: dict[str, str] = {}
    asked: dict[str, Asked] = {}
    assigned_to: str = ""
    assignments: int = 0
    messages: dict[str, dict[str, str]] = {}
    total: str = ""
    note: str = ""

    @property
    def is_ready(self) -> bool:
        """Return whether every vendor has confirmed a time."""
        return bool(self.vendors) and all(vendor in self.confirmed_times for vendor in self.vendors)

    @property
    def latest_time(self) -> str:
        """Return the time at which everything can be picked up."""
        return max(self.confirmed_times.values(), default="")
