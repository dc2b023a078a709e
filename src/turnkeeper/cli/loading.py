"""Finds what a command works on: the application by reference, the store by option or environment."""

import importlib
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from turnkeeper.app import App
from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.store import Store
from turnkeeper.stores.urls import ChosenStore, choose_store, open_store


def load_app(reference: str, *, store: str | None) -> tuple[App, ChosenStore]:
    """Import an application and give it its store.

    Raises:
        ConfigurationError: The reference leads to no `App`.
        InvalidFlowError: The application's flow contradicts itself.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigurationError(f"{reference!r} is no application; write module:attribute, such as mealplan.app:app")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not module_name.startswith(exc.name):
            raise
        raise ConfigurationError(
            f"no module {module_name!r}; is it installed, or are you in another folder than it?"
        ) from exc
    found = getattr(module, attribute, None)
    if not isinstance(found, App):
        raise ConfigurationError(f"{module_name} has no turnkeeper.App called {attribute!r}")
    chosen = choose_store(os.environ, given=store)
    found.use_store(chosen.url)
    return found, chosen


def existing_store(store: str | None) -> Store:
    """Return a store to look into; looking never makes one.

    Raises:
        ConfigurationError: It is an embedded store whose file does not exist.
    """
    chosen = choose_store(os.environ, given=store)
    parts = urlsplit(chosen.url)
    if parts.scheme == "memory":
        raise ConfigurationError("memory:// lives and dies with its process; there is nothing to look into")
    if parts.scheme == "sqlite" and not Path(unquote(parts.path)[1:]).exists():
        raise ConfigurationError(f"there is no store at {mask_url(chosen.url)} ({chosen.reason})")
    return open_store(chosen.url)
