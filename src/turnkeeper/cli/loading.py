"""Finds what a command works on: the application by reference, the store by option or environment."""

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from turnkeeper.app import App
from turnkeeper.errors import ConfigurationError, TurnkeeperError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.store import Store
from turnkeeper.stores.urls import ChosenStore, choose_store, open_store, sqlite_path


def load_app(reference: str, *, store: str | None) -> tuple[App, ChosenStore]:
    """Import an application and give it its store: the one asked for, the environment's, or its own.

    Returns:
        Both; the store's URL is empty where the application brings an open store.

    Raises:
        ConfigurationError: The reference leads to no `App`.
        InvalidFlowError: The application's flow contradicts itself.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute or module_name.startswith("."):
        raise ConfigurationError(f"{reference!r} is no application; write module:attribute, such as mealplan.app:app")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    app = _app_in(_imported(module_name), attribute)
    chosen = choose_store(os.environ, given=store, default=app.store_url or "")
    if chosen.url:
        app.use_store(chosen.url)
    return app, chosen


def _imported(module_name: str) -> ModuleType:
    """Import a module; whatever goes wrong in it is told in one line, with the place in its code."""
    try:
        return importlib.import_module(module_name)
    except TurnkeeperError:
        raise
    except ModuleNotFoundError as exc:
        if exc.name is not None and f"{module_name}.".startswith(f"{exc.name}."):
            raise ConfigurationError(
                f"no module {exc.name!r}; is it installed, or are you in another folder than it?"
            ) from exc
        raise ConfigurationError(_reason(module_name, exc)) from exc
    except Exception as exc:
        raise ConfigurationError(_reason(module_name, exc)) from exc


def _reason(module_name: str, exc: Exception) -> str:
    if isinstance(exc, SyntaxError):
        return f"cannot import {module_name}: {exc.filename}:{exc.lineno}: {exc.msg}"
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    text = " ".join(str(exc).split())
    return f"cannot import {module_name}: {type(exc).__name__}: {text} ({frame.filename}:{frame.lineno})"


def _app_in(module: ModuleType, attribute: str) -> App:
    found = getattr(module, attribute, None)
    if isinstance(found, App):
        return found
    name = f"{module.__name__}:{attribute}"
    if found is None:
        others = [key for key, value in vars(module).items() if isinstance(value, App)]
        there = f"; there is {module.__name__}:{others[0]}" if others else "; make one: app = App(flow, store=…)"
        raise ConfigurationError(f"{name} does not exist{there}")
    raise ConfigurationError(f"{name} is a {type(found).__name__} and no App; make one: app = App(flow, store=…)")


def existing_store(store: str | None) -> Store:
    """Return a store to look into; looking never makes one.

    Raises:
        ConfigurationError: It is an embedded store whose file does not exist.
    """
    chosen = choose_store(os.environ, given=store)
    opened = open_store(chosen.url)
    scheme = urlsplit(chosen.url).scheme
    if scheme == "memory":
        raise ConfigurationError("memory:// lives and dies with its process; there is nothing to look into")
    if scheme == "sqlite" and not sqlite_path(chosen.url).exists():
        raise ConfigurationError(
            f"there is no store at {mask_url(chosen.url)} ({chosen.reason}); name another one with --store"
        )
    return opened
