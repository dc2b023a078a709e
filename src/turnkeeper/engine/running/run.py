"""One granted turn on its way: which of the handed-out messages it is about, and what the program gets to see."""

from collections.abc import Sequence

import msgspec

from turnkeeper.engine.heartbeat import Held
from turnkeeper.engine.running.grouping import group
from turnkeeper.engine.wire import UNREADABLE, decode_message
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.ports.program import Program, TurnInput
from turnkeeper.ports.turns import Granted, Waiting


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A turn to compute and commit.

    Attributes:
        taken: The waiting messages that its commit takes off.
        commit_id: The same for every repetition of the commit, another one for every turn.
        broken: Why the first message cannot be read; empty if it can.
    """

    program: Program
    granted: Granted
    held: Held
    turn: TurnInput
    taken: Sequence[Waiting]
    commit_id: str
    broken: str = ""

    @property
    def conversation(self) -> ConversationId:
        """Whose turn it is."""
        return self.turn.conversation

    def of_first(self) -> "Run":
        """Return the same turn with its first message only, to bury that one."""
        turn = msgspec.structs.replace(self.turn, messages=self.turn.messages[:1], superseded=0)
        return msgspec.structs.replace(self, turn=turn, taken=self.taken[:1])


def prepare(program: Program, granted: Granted, held: Held, commit_id: str) -> Run:
    """Return the turn that a grant asks for. An unreadable message is a turn of its own, never part of another's."""
    messages, broken = _read(granted.messages)
    chosen = group(messages, policy=program.rules.busy.policy, interrupted=granted.interrupted)
    conversation = held.conversation
    turn = TurnInput(
        conversation=conversation,
        messages=tuple(messages[: chosen.take]),
        superseded=chosen.superseded,
        effect_prefix=f"{conversation.key}:{granted.generation}:{granted.messages[0].seq}",
        commit_id=commit_id,
        fence=granted.fence,
        version=granted.version,
        generation=granted.generation,
        state=granted.state,
        now_ms=granted.now_ms,
        created_ms=granted.created_ms,
        active_ms=granted.active_ms,
        attempt=granted.attempts,
        waiting=granted.more + len(granted.messages) - chosen.take,
        lost=granted.lost,
        opted_out=granted.opted_out,
        memos=granted.memos,
    )
    return Run(
        program=program,
        granted=granted,
        held=held,
        turn=turn,
        taken=granted.messages[: chosen.take],
        commit_id=commit_id,
        broken=broken,
    )


def _read(handed_out: Sequence[Waiting]) -> tuple[list[Message], str]:
    """Return the messages before the first unreadable one; if that is the first, a stand-in and the reason."""
    messages: list[Message] = []
    for waiting in handed_out:
        try:
            messages.append(decode_message(waiting.payload))
        except UNREADABLE as exc:
            if messages:
                break
            unreadable = Message(id=waiting.id, kind=Kind.ADMIN, text="unreadable")
            return [unreadable], f"message {waiting.id} cannot be read: {exc}"
    return messages, ""
