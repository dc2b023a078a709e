"""Finds what a command works on: the application by reference, the store by option or environment."""

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import urlsplit

from turnkeeper.app import App
from turnkeeper.cli.telling import naming
from turnkeeper.errors import ConfigurationError, TurnkeeperError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.store import Store
from turnkeeper.stores.urls import DEFAULT_URL, ChosenStore, choose_store, open_store, sqlite_path


def load_app(reference: str, *, store: str | None) -> tuple[App, ChosenStore]:
    """Import an application and give it its store: the one asked for, the environment's, or its own.

    Returns:
        Both; the store's URL is empty where the application brings an open store.

    Raises:
        ConfigurationError: The reference leads to no `App`.
        InvalidFlowError: The application's flow contradicts itself.
    """
    module_name, colon, attribute = reference.partition(":")
    is_file = module_name.startswith(".") or module_name.endswith(".py") or "/" in module_name
    if is_file or not colon or not module_name or not attribute:
        module = module_name.removesuffix(".py").strip("./").replace("/", ".") or "mealplan.app"
        wanted = f"{module}:{attribute or 'app'}"
        raise ConfigurationError(f"{reference!r} is no application; write module:attribute, such as {wanted}")
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
    others = [key for key, value in vars(module).items() if isinstance(value, App)]
    there = f"there is {module.__name__}:{others[0]}" if others else "make one: app = App(flow, store=…)"
    wrong = "does not exist" if found is None else f"is a {type(found).__name__} and no App"
    raise ConfigurationError(f"{module.__name__}:{attribute} {wrong}; {there}")


def tell_of_new_folder(url: str) -> None:
    """Say on standard error that a store makes its folder, which may be a typing mistake; the default's is expected."""
    if urlsplit(url).scheme != "sqlite" or url == DEFAULT_URL:
        return
    folder = sqlite_path(url).absolute().parent
    if not folder.exists():
        sys.stderr.write(f"turnkeeper: there is no folder {folder}; it is made for the store {mask_url(url)}\n")
        sys.stderr.flush()


class Found(NamedTuple):
    """A store to look into: which one it is and why, without its password, and the application if one was named."""

    store: Store
    place: str
    app: App | None


def existing_store(store: str | None, *, app: str | None = None) -> Found:
    """Return a store to look into: the one asked for, the environment's, the application's, or the default.

    Looking never makes one.

    Raises:
        ConfigurationError: It is an embedded store whose file does not exist, or one in memory.
    """
    loaded: App | None = None
    if app is None:
        chosen = choose_store(os.environ, given=store)
    else:
        loaded, chosen = load_app(app, store=store)
    place = f"{mask_url(chosen.url) or 'the store that the application opens itself'} ({chosen.reason})"
    with naming(chosen.reason):
        opened = open_store(chosen.url) if loaded is None else loaded.store
    scheme = urlsplit(chosen.url).scheme
    if scheme == "memory":
        raise ConfigurationError(
            f"{place} lives and dies with its process; there is nothing to look into. Look while it runs, in its "
            "browser phone, or keep conversations: --store sqlite:///name.db"
        )
    if scheme == "sqlite" and not sqlite_path(chosen.url).exists():
        path = sqlite_path(chosen.url).absolute()
        raise ConfigurationError(f"no store at {place}: there is no file {path}; {_advice(store, app)}")
    return Found(opened, place, loaded)


def _advice(store: str | None, app: str | None) -> str:
    if store is not None:
        return "check --store; sqlite:///name.db means a file in this folder, sqlite:////path/name.db one from the root"
    if app is not None:
        return "was it started in another folder, or with another store? Go there, or name the store with --store"
    return "name the application to look into its store (--app module:attribute), or the store (--store)"
