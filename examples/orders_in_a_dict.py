"""A small order bot that keeps its data in a plain dict, as many do. After a restart it knows nothing.

`orders_in_a_mirror.py` is the same bot; only the dict is another one.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

orders: dict[str, dict[str, Any]] = {}


def answer(line: str) -> str:
    """Do what a line says: `new 5866 dishbee #26`, `time 5866 JS 14:35`, `assign 5866 Ana`, `show 5866`, `count`."""
    command, _, rest = line.strip().partition(" ")
    if command == "count":
        return f"{len(orders)} orders"
    order_id, _, what = rest.partition(" ")
    if command == "new":
        orders[order_id] = {"name": what, "status": "new", "confirmed_times": {}, "status_history": []}
        return f"{what} is here"
    order = orders.get(order_id)
    if order is None:
        return f"no order {order_id!r}"
    if command == "time":
        vendor, _, time = what.partition(" ")
        order["confirmed_times"][vendor] = time
    elif command == "assign":
        order["status"] = "assigned"
        order["status_history"].append({"type": "assigned", "assigned_to": what, "timestamp": datetime.now(UTC)})
    return f"{order['name']}: {order['status']}, {order['confirmed_times']}"


async def main() -> None:
    """Answer line by line."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(answer(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
