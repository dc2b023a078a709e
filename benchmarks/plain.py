"""A program that does almost nothing: 2 KB of state, one log entry, one reply; so that what is measured is the rest."""

from turnkeeper.model.message import JobFailed, Kind, Message
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.program import Draft, JobInput, JobRules, Rules, Tools, TurnInput
from turnkeeper.ports.turns import Effect, EffectKind

STATE = b'{"text":"' + b"x" * 2_030 + b'"}'
LOG = b'{"text":"' + b"y" * 180 + b'"}'
REPLY = b'{"channel":"sms","to":"ana","text":"ok"}'


def text(message_id: str) -> Message:
    """Return a short message."""
    return Message(id=message_id, kind=Kind.TEXT, text="hello", channel="sms")


class PlainProgram:
    """See `turnkeeper.ports.program.Program`."""

    name = "plain"
    rules = Rules()

    async def run(self, turn: TurnInput, _: Tools, /) -> Draft:
        """Return the same draft every time."""
        effect = Effect(id=f"{turn.effect_prefix}:0", kind=EffectKind.REPLY, payload=REPLY)
        return Draft(state=STATE, status="talking", log=LOG, effects=(effect,), replies=("ok",))

    def bury(self, _: TurnInput, error: str, /) -> Draft:
        """Fail the measurement."""
        raise AssertionError(error)

    def job_rules(self, _: str, /) -> JobRules | None:
        """Know no job."""
        return None

    async def work(self, job: JobInput, /) -> bytes:
        """Fail the measurement."""
        raise AssertionError(job)

    def failure(self, failed: JobFailed, /) -> bytes:
        """Fail the measurement."""
        raise AssertionError(failed)


class Nowhere:
    """A channel that takes everything at once."""

    name = "sms"
    on_unknown = OnUnknown.RESEND

    async def send(self, _: Outgoing, /) -> Sent:
        """Take it."""
        return Sent(outcome=SendOutcome.ACCEPTED)

    async def close(self) -> None:
        """Do nothing."""
