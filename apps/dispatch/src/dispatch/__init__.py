"""Order dispatch for couriers in a Telegram group. An order is a conversation; each webhook and click is a turn."""
