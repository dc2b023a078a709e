"""Options that several commands share."""

from typing import Annotated

import typer

App = Annotated[str, typer.Argument(help="The application, as module:attribute, such as mealplan.app:app.")]

Store = Annotated[
    str | None,
    typer.Option(
        help="Store URL. Default: TURNKEEPER_STORE, REDIS_URL, the Upstash pair, then sqlite:///.turnkeeper/turnkeeper.db."
    ),
]

OfApp = Annotated[
    str | None,
    typer.Option(
        "--app", help="Look into the store of this application, such as mealplan.app:app, unless --store names another."
    ),
]

Flow = Annotated[str | None, typer.Option(help="The flow's name, where there are several.")]

Member = Annotated[str, typer.Option(help="Who of several people on one number, such as ana.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
