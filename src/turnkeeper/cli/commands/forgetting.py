"""`conversations forget`: erases what a person said and was told. It asks first, and nothing brings it back."""

import sys
from collections.abc import Sequence

import msgspec
import typer

from turnkeeper.cli.finding import Source, conversations_of, no_member, with_store
from turnkeeper.cli.loading import Found
from turnkeeper.cli.showing import print_json
from turnkeeper.errors import ConfigurationError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.carry.erasing import drop_accounts
from turnkeeper.ports.turns import Forgotten


def forget(
    person: str, source: Source, *, flow: str | None, member: str | None, is_agreed: bool, as_json: bool
) -> None:
    """Erase a person's conversations, or of several people on one number only one's, and say what went.

    Raises:
        ConfigurationError: There is none, or nobody agreed; nothing was erased.
    """

    async def run(found: Found) -> tuple[list[ConversationId], Forgotten]:
        listed = await conversations_of(found, person, flow=flow)
        chosen = [item.conversation for item in listed if member in {None, item.conversation.member}]
        if not chosen:
            raise no_member(person, member or "", listed)
        if not is_agreed:
            _ask(chosen)
        return chosen, await _erase(found, chosen, is_whole=member is None)

    chosen, erased = with_store(source, run, flow=flow, is_quiet=as_json)
    if as_json:
        keys = [one.key for one in chosen]
        counts = msgspec.structs.asdict(erased)
        del counts["changed"]  # nobody asked for it here
        print_json({**counts, "conversations": keys})
    else:
        sys.stdout.write(f"{_told(erased)}\n")


def _ask(chosen: Sequence[ConversationId]) -> None:
    keys = "\n".join(f"  {one.key}" for one in chosen)
    if not sys.stdin.isatty():
        raise ConfigurationError(f"nothing was erased: nobody is there to ask; add --yes to erase\n{keys}")
    sys.stderr.write(f"{keys}\n")
    if not typer.confirm("Erase this, with its log and everything that waits or is unsent, for good?", err=True):
        raise ConfigurationError("nothing was erased")


async def _erase(found: Found, chosen: Sequence[ConversationId], *, is_whole: bool) -> Forgotten:
    """Erase them. Of a whole person also what no list shows any more, such as dead letters; and accounts of outages."""
    wanted = {one.flow: msgspec.structs.replace(one, member="") for one in chosen}.values() if is_whole else chosen
    erased = Forgotten()
    for one in wanted:
        erased += await found.store.turns.forget(one, person=is_whole)
        await drop_accounts(found.store.documents, one, person=is_whole)
    return erased


def _told(erased: Forgotten) -> str:
    counts = {
        "conversations": erased.conversations,
        "log entries": erased.log_entries,
        "deliveries": erased.deliveries,
        "large parts": erased.parts,
        "dead letters": erased.dead_letters,
    }
    return "forgotten: " + ", ".join(f"{name} {count}" for name, count in counts.items())
