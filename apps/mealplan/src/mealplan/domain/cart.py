"""A subscriber's cart as the shop's page shows it.

The contents of a box count like items of their own (`Cart.every_item`): a dinner may use the kale of a box, and a
person may name it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

# A farm box for a large family has about 40 lines; a page with more than this was read wrongly.
MAX_LINES = 200

ItemKind = Literal["item", "customizable_box", "fixed_box"]


class CartItem(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the cart, or one thing in a box.

    Attributes:
        name: As the shop writes it, such as "Wild Salmon Fillet".
        quantity: How many of `unit`; 0 when the shop could not fill it.
        unit: "lb", "oz", "g", "kg", "each", "bunch", "head", "bag", "dozen", "pint", "can" and the like.
        kind: A single item, a box whose contents the person may change, or a box that comes as it is.
        category: The shop's own shelf, such as "Seafood".
        price_cents: Price of the whole line in US cents.
        contents: What is in one box; empty for a single item. A box holds no boxes.
    """

    name: str
    quantity: float = 1.0
    unit: str = "each"
    kind: ItemKind = "item"
    category: str = ""
    price_cents: int = 0
    contents: tuple["CartItem", ...] = ()


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer is about to receive.

    Attributes:
        items: The lines of the cart, in the shop's order, `MAX_LINES` at most.
        delivery_date: The day on which the box arrives.
        customer: The name on the account.
        read_at: When the page was read; a naive time is taken as UTC.
    """

    items: tuple[CartItem, ...]
    delivery_date: date
    customer: str = ""
    read_at: datetime

    def __post_init__(self) -> None:
        """Refuse what no shop delivers.

        Raises:
            ValueError: Too many lines.
        """
        if len(self.items) > MAX_LINES:
            raise ValueError(f"a cart has at most {MAX_LINES} lines, this one has {len(self.items)}")
        if self.read_at.tzinfo is None:
            msgspec.structs.force_setattr(self, "read_at", self.read_at.replace(tzinfo=UTC))

    def every_item(self) -> Iterator[CartItem]:
        """Go through the single items and the contents of the boxes, in the shop's order; the boxes are left out.

        What the shop could not fill is left out as well, and two boxes hold twice as much.
        """
        for item in self.items:
            for one in (item,) if item.kind == "item" else item.contents:
                boxes = 1.0 if item.kind == "item" else item.quantity
                if one.quantity > 0 and boxes > 0:
                    yield one if boxes == 1.0 else msgspec.structs.replace(one, quantity=one.quantity * boxes)

    def boxes(self) -> Iterator[CartItem]:
        """Go through the boxes themselves, less those that the shop could not fill."""
        return (item for item in self.items if item.kind != "item" and item.quantity > 0)
