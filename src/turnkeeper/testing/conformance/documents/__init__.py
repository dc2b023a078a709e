"""Promises of the `Documents` port."""
