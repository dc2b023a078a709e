"""Promises of the `Turns` port."""
