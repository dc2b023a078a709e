"""Promises of the `Deliveries` port."""
