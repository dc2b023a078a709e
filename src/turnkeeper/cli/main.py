"""Puts the commands together. Each command's module is imported when it is run, so that `--help` is quick."""

import io
import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from turnkeeper.cli.commands.doctoring import doctor
from turnkeeper.cli.commands.migrating import migrate
from turnkeeper.cli.options import App, AsJson, Flow, Member, OfApp, Store
from turnkeeper.cli.telling import told
from turnkeeper.errors import ConfigurationError, TurnkeeperError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the signal's number."""

cli = typer.Typer(
    name="turnkeeper",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
conversations = typer.Typer(help="Look at conversations in a store, or erase them.", no_args_is_help=True)
dead_letters = typer.Typer(help="Messages and deliveries that failed for good.", no_args_is_help=True)
cli.add_typer(conversations, name="conversations")
cli.add_typer(dead_letters, name="dead-letters")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        sys.stdout.write(f"turnkeeper {version('turnkeeper')}\n")
    except PackageNotFoundError as exc:
        raise ConfigurationError("this is a source tree that is not installed; it has no version") from exc
    raise typer.Exit


@cli.callback()
def turnkeeper(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep conversations over deploys, crashes, provider retries and double texts."""


@cli.command()
def serve(
    app: App,
    store: Store = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    phone: Annotated[
        bool | None, typer.Option("--phone/--no-phone", help="Mount the browser phone. Default: on loopback only.")
    ] = None,
    log_format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Serve an application: webhooks, health and, on loopback, the browser phone. Also runs its jobs and timers."""
    _require_web()
    from turnkeeper.cli.commands.serving import run_server

    run_server(app, store=store, host=host, port=port, phone=phone, log_format=log_format, is_demo=False)


@cli.command()
def demo(
    app: App,
    store: Store = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Serve an application on this machine with the browser phone, and say what to try."""
    _require_web()
    from turnkeeper.cli.commands.serving import run_server

    run_server(app, store=store, host="127.0.0.1", port=port, phone=True, log_format="text", is_demo=True)


@cli.command()
def chat(
    app: App,
    speaker: Annotated[
        str, typer.Option("--as", help="Whom to speak for: a phone number or another address.")
    ] = "+15551230001",  # as the browser phone does
    store: Store = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the work that a message started.")] = 120,
) -> None:
    """Talk to an application in the terminal, one message a line. Ends with the input."""
    from turnkeeper.cli.commands.chatting import run_chat

    run_chat(app, speaker=speaker, store=store, wait_seconds=wait)


@cli.command()
def graph(
    app: App,
    flow: Flow = None,
    output_format: Annotated[
        str | None, typer.Option("--format", help="mermaid or svg. Default: as the file's name says, else mermaid.")
    ] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="File to write; default: the terminal.")] = None,
) -> None:
    """Draw a flow: its statuses and what leads from one to another."""
    from turnkeeper.cli.commands.drawing import draw

    draw(app, flow=flow, output_format=output_format, output=output)


@conversations.command("list")
def list_conversations(
    app: OfApp = None,
    store: Store = None,
    flow: Flow = None,
    status: Annotated[str | None, typer.Option(help="Only conversations in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=256, help="Conversations a page.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier page.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List conversations, most recently changed first."""
    from turnkeeper.cli.commands.looking import list_all
    from turnkeeper.cli.finding import Source

    list_all(Source(app=app, store=store), flow=flow, status=status, limit=limit, cursor=cursor, as_json=as_json)


@conversations.command("show")
def show_conversation(
    person: Annotated[str, typer.Argument(help="A phone number or another address.")],
    app: OfApp = None,
    store: Store = None,
    flow: Flow = None,
    member: Member = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show one conversation: status, version, state, counters and log."""
    from turnkeeper.cli.commands.looking import show
    from turnkeeper.cli.finding import Source

    show(person, Source(app=app, store=store), flow=flow, member=member, as_json=as_json)


@conversations.command("forget")
def forget_conversations(
    person: Annotated[str, typer.Argument(help="A phone number or another address.")],
    app: OfApp = None,
    store: Store = None,
    flow: Flow = None,
    member: Annotated[
        str | None, typer.Option(help="Only who of several people on one number, such as ana. Default: everybody.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person's conversations for good. Asks first. That someone wants no messages (STOP) stays known."""
    from turnkeeper.cli.commands.forgetting import forget
    from turnkeeper.cli.finding import Source

    forget(person, Source(app=app, store=store), flow=flow, member=member, is_agreed=yes, as_json=as_json)


@dead_letters.command("list")
def list_dead_letters(
    app: OfApp = None,
    store: Store = None,
    flow: Flow = None,
    limit: Annotated[int, typer.Option(min=1, max=256, help="Dead letters a page.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier page.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    from turnkeeper.cli.commands.looking import list_dead
    from turnkeeper.cli.finding import Source

    list_dead(Source(app=app, store=store), flow=flow, limit=limit, cursor=cursor, as_json=as_json)


@dead_letters.command("redrive")
def redrive_dead_letters(
    ids: Annotated[list[str], typer.Argument(help="Ids as `dead-letters list` shows them.")],
    app: OfApp = None,
    store: Store = None,
) -> None:
    """Put dead letters back: messages to the end of their inbox, deliveries into their lane."""
    from turnkeeper.cli.commands.looking import redrive
    from turnkeeper.cli.finding import Source

    redrive(ids, Source(app=app, store=store))


cli.command("doctor")(doctor)
cli.command("migrate")(migrate)


def _require_web() -> None:
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise ConfigurationError('serving needs the extra "web": pip install "turnkeeper[web]"')


def main() -> None:
    """Run the command line; the entry point of `turnkeeper`."""
    # A terminal that cannot show a letter shows a question mark; it is no reason to stop.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli()
    except TurnkeeperError as exc:
        sys.stderr.write(f"turnkeeper: {told(exc)}\n")
        raise SystemExit(1) from exc
    except BrokenPipeError as exc:
        # Whoever read the output has enough of it. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from exc
    except KeyboardInterrupt as exc:
        raise SystemExit(INTERRUPTED) from exc
