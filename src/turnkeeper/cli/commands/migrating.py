"""`migrate`: moves everything from one store to another, and says what is left to do."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from turnkeeper.cli.options import AsJson
from turnkeeper.errors import ConfigurationError, OutcomeUnknownError, RetryableError

if TYPE_CHECKING:
    from turnkeeper.operations.migration import Plan, Report, Told
    from turnkeeper.ports.store import Store

_NAMED = 20
"""Conversations that a report names; of more it tells the number. `--json` names all."""

_ENDED_EARLY = "what was moved is whole: run this again, it goes on where it ended"

INCOMPLETE = 1
"""Exit status when something could not be moved."""


def migrate(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the store that has the conversations.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the store that is to have them.")],
    flow: Annotated[str | None, typer.Option(help="Only conversations of this flow, and no documents.")] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(help="Of the documents only this collection; may be repeated. Default: all collections."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be moved, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move conversations to another store. Stop the servers of both first; a second run goes on where one ended."""
    from turnkeeper.cli.loading import tell_of_new_folder
    from turnkeeper.operations.migration import Plan
    from turnkeeper.stores.urls import sqlite_path

    if flow is not None and collection:
        raise ConfigurationError("documents belong to no flow; move them with a run without --flow")
    for url in (source, target):
        if urlsplit(url).scheme == "memory":
            raise ConfigurationError("memory:// lives and dies with its process; there is nothing to move")
    if urlsplit(source).scheme == "sqlite" and not sqlite_path(source).exists():
        raise ConfigurationError(f"there is no file {sqlite_path(source).absolute()}; nothing was moved")
    if dry_run and urlsplit(target).scheme == "sqlite" and not sqlite_path(target).exists():
        target = "memory://"  # as empty as the file that a real run would make
    tell_of_new_folder(target)
    plan = Plan(flow=flow, collections=tuple(collection or ()), dry_run=dry_run)
    try:
        report = asyncio.run(_run(source, target, plan))
    except (RetryableError, OutcomeUnknownError) as exc:
        raise ConfigurationError(f"{exc}; {_ENDED_EARLY}") from exc
    except KeyboardInterrupt:
        sys.stderr.write(f"turnkeeper: stopped; {_ENDED_EARLY}\n")
        raise
    if as_json:
        told = {**msgspec.structs.asdict(report), "dry_run": dry_run, "is_complete": report.is_complete}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        _print(report, dry_run=dry_run)
    if not report.is_complete:
        raise typer.Exit(INCOMPLETE)


async def _run(from_url: str, to_url: str, plan: "Plan") -> "Report":
    from turnkeeper.operations.migration import Report
    from turnkeeper.operations.migration import migrate as run
    from turnkeeper.ports.clock import SystemClock
    from turnkeeper.stores.urls import open_store, read_remains, write_opt_outs

    source, target = open_store(from_url), open_store(to_url)
    try:
        await source.open()
        await target.open()
        remains = await read_remains(from_url)
        opt_outs = [one for one in remains.opt_outs if plan.flow in {None, one.flow}]
        if plan.flow is None and not plan.collections:
            plan = msgspec.structs.replace(plan, collections=remains.collections)
        if not plan.dry_run:  # first, so that nobody who said no is spoken to because a move ended early
            await write_opt_outs(to_url, opt_outs)
        counts = await source.catalog.counts(flow=plan.flow)
        with _bar(sum(counts.statuses.values())) as told:
            report = await run(source, target, plan, clock=SystemClock(), told=told)
        report.opt_outs = len(opt_outs)
        if plan.flow is not None and report == Report():
            await _refuse_unknown_flow(source, target, plan.flow)
        return report
    finally:
        await source.close()
        await target.close()


async def _refuse_unknown_flow(source: "Store", target: "Store", flow: str) -> None:
    """Refuse a flow of which neither store knows anything; one that has moved already is known to the target."""
    from turnkeeper.cli.finding import others_than

    others = await others_than(source, flow=flow, status=None)
    if others and await others_than(target, flow=flow, status=None):
        raise ConfigurationError(f"there are no conversations{others}; nothing was moved")


@contextmanager
def _bar(total: int) -> "Iterator[Told]":
    """Show a bar with the rate on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("conversations"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total or None, rate="")

        def told(report: "Report") -> None:
            done = report.conversations
            seconds = progress.tasks[0].elapsed or 0
            rate = f"{done / seconds:,.0f}/s" if seconds else ""
            # The total counts what has a state; what only waits or is remembered comes on top.
            progress.update(task, completed=done, total=max(total, done) or None, rate=rate)

        yield told


def _print(report: "Report", *, dry_run: bool) -> None:
    moved = f"conversations {report.conversations}, documents {report.documents}, opt-outs {report.opt_outs}"
    lines = [f"{'would move' if dry_run else 'moved'}: {moved}"]
    for keys, why in (
        (report.conflicts, "in both stores, left there (forget one of the two, then run this again)"),
        (report.busy, "worked on by a server of the source, left there (stop it, then run this again)"),
    ):
        if keys:
            more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            lines.append(f"{why}: {', '.join(keys[:_NAMED])}{more}")
    if report.document_conflicts:
        lines.append(
            f"documents that differ in the target or changed meanwhile, left there: {report.document_conflicts}"
        )
    if report.letters_left:
        lines.append(f"dead letters of conversations that the source has forgotten, left there: {report.letters_left}")
    sys.stdout.write("\n".join(lines) + "\n")
