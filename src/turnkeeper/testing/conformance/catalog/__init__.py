"""Promises of the `Catalog` port."""
