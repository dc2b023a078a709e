"""Turnkeeper keeps a conversation: the turn is a transaction.

    provider ─▶ channel ─▶ begin ─▶ flow (handlers) ─▶ commit ─▶ outbox ─▶ channel ─▶ provider
                             ▲                            │
                             └── timers, job results ─────┘   (they come back as messages)

A message is made durable, a handler computes, and what changed in the state, the log entry, the replies, the jobs and
the timers are committed together, once, in order. Write a `Flow`, bind it with `App`, run `turnkeeper serve`.
"""

from turnkeeper.app import App, Line
from turnkeeper.dialogue.declaring.jobtype import Retry
from turnkeeper.dialogue.declaring.router import Router
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.plan import LogRetention
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Classifier, Intent
from turnkeeper.dialogue.understanding.slots import Number, OneOf, Text, Weekdays
from turnkeeper.dialogue.view import Seen, View
from turnkeeper.dialogue.wording import Texts
from turnkeeper.engine.results import Accepted, Handled, Taken
from turnkeeper.engine.settings import Settings
from turnkeeper.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    TurnkeeperError,
)
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Button, JobFailed, Kind, Message, Reply
from turnkeeper.model.person import opaque, phone_number
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct
from turnkeeper.outage.standing import Conflict, Health
from turnkeeper.policy.durations import days, hours, minutes, seconds
from turnkeeper.policy.outage import Outage
from turnkeeper.ports.channel import Channel, OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.program import Busyness
from turnkeeper.ports.webhook import (
    Arrival,
    Webhook,
    WebhookRefusedError,
    WebhookRequest,
    WebhookUnreadableError,
)
from turnkeeper.stores.urls import choose_store, open_store

__all__ = [
    "Accepted",
    "App",
    "Arrival",
    "Busyness",
    "Button",
    "Channel",
    "Classifier",
    "Clock",
    "ConfigurationError",
    "Conflict",
    "ConversationId",
    "Flow",
    "Handled",
    "Health",
    "Intent",
    "Job",
    "JobFailed",
    "Kind",
    "Line",
    "LogRetention",
    "Message",
    "Number",
    "OnUnknown",
    "OneOf",
    "Outage",
    "OutcomeUnknownError",
    "Outgoing",
    "PermanentError",
    "Ref",
    "Reply",
    "Retry",
    "RetryableError",
    "Router",
    "Seen",
    "SendOutcome",
    "Sent",
    "Settings",
    "Struct",
    "SystemClock",
    "Taken",
    "Text",
    "Texts",
    "Turn",
    "TurnkeeperError",
    "View",
    "Webhook",
    "WebhookRefusedError",
    "WebhookRequest",
    "WebhookUnreadableError",
    "Weekdays",
    "choose_store",
    "days",
    "hours",
    "minutes",
    "opaque",
    "open_store",
    "phone_number",
    "seconds",
]
