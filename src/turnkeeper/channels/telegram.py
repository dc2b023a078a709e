"""Telegram: bot updates in over a webhook, messages, edits and answers to clicks out.

Facts are from the Bot API (https://core.telegram.org/bots/api): the webhook carries its secret in a header, an update
that gets no 2xx comes again, at most 64 bytes come back with a button, and a click must be answered or its button
keeps turning. The API has no idempotency key, so a send without an answer may show twice.
"""

import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from turnkeeper.errors import ConfigurationError, TurnkeeperError
from turnkeeper.model.message import Reply
from turnkeeper.ports.channel import OnUnknown, Outgoing, SendOutcome, Sent
from turnkeeper.ports.webhook import Arrival, WebhookRefusedError, WebhookRequest, WebhookUnreadableError

logger = logging.getLogger(__name__)

API = "https://api.telegram.org"

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the header's name

MAX_TEXT_CHARACTERS = 4096
"""One message, counted as Telegram counts: in units of UTF-16, an emoji is two."""

MAX_DATA_BYTES = 64
"""What a button brings back."""

MAX_TOAST_CHARACTERS = 200
"""The text of an answered click."""

CLICK = "click:"
"""Before the id of a callback query, in an address: what is sent there answers the click."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+")

_TOO_MANY = 429
_SERVER_ERROR = 500
_UNCHANGED = "message is not modified"
_TOO_OLD = "query is too old"
_GONE = ("message to edit not found", "message can't be edited")


class Chat(msgspec.Struct, frozen=True):
    """Where something was said. Groups have negative ids."""

    id: int
    type: str = "private"
    title: str = ""


class User(msgspec.Struct, frozen=True):
    """Who said it."""

    id: int
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def name(self) -> str:
        """Return how people call them."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.username or str(self.id)


class ChatMessage(msgspec.Struct, frozen=True):
    """A message. `sender` None: nobody's, as in a channel; `date` 0: too old for the bot to see."""

    message_id: int
    chat: Chat
    date: int = 0
    text: str = ""
    sender: User | None = msgspec.field(name="from", default=None)


class Click(msgspec.Struct, frozen=True):
    """A button pressed. `message` is what it stood under, None if that is gone."""

    id: str
    sender: User = msgspec.field(name="from")
    data: str = ""
    message: ChatMessage | None = None


class Update(msgspec.Struct, frozen=True):
    """What Telegram tells: one of its members is there, or one that is not read here."""

    update_id: int
    message: ChatMessage | None = None
    edited_message: ChatMessage | None = None
    callback_query: Click | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that Telegram took: the flow's key for it, the chat, and the id under which it can be edited.

    `lost` is the id that it was to edit if that message is gone, which is why there is a new one; else empty.
    """

    key: str
    chat: str
    message_id: str
    lost: str = ""


Route = Callable[[Update], Arrival | None]
"""Says whose conversation an update belongs to, None: nobody's. Pure."""

OnAccepted = Callable[[Accepted], Awaitable[None]]
"""Told of each reply with a key before it counts as sent. If the store is away then, it cannot be edited later."""

_update = msgspec.json.Decoder(Update)


class Telegram:
    """A bot, both ways. See `turnkeeper.ports.channel.Channel` and `turnkeeper.ports.webhook.Webhook`.

    A reply goes to a chat id, or to `click:{id}`, which answers that click with a short text over the chat.
    """

    name = "telegram"
    on_unknown = OnUnknown.RESEND

    def __init__(
        self,
        token: str,
        *,
        secret: str,
        route: Route,
        path: str = "/webhooks/telegram",
        api: str = API,
        timeout: timedelta = timedelta(seconds=10),
        proxy: str | None = None,
    ) -> None:
        """Bind a bot. Nothing is opened before the first send.

        Args:
            token: From @BotFather. It is part of every address that is called, so errors never show it.
            secret: The `secret_token` that `setWebhook` was given: 1 to 256 of A-Z, a-z, 0-9, `_` and `-`.
            route: Says whose conversation an update belongs to.
            path: Where Telegram's updates come in.
            api: Another Bot API server.
            timeout: For one call.
            proxy: URL of an HTTP proxy; the environment's is not used.

        Raises:
            ConfigurationError: Token or secret cannot be one.
        """
        if not _TOKEN.fullmatch(token):
            raise ConfigurationError("a Telegram token looks like 123456:ABC-def; copy it from @BotFather")
        if not _SECRET.fullmatch(secret):
            raise ConfigurationError(
                "a Telegram secret has 1 to 256 of A-Z, a-z, 0-9, _ and -; set it in setWebhook too"
            )
        self.path = path
        self.on_accepted: OnAccepted | None = None
        """Set by the application before it starts, if it wants to know under which id it can edit a reply."""
        self._route = route
        self._secret = secret.encode()
        self._api = api.rstrip("/")
        self._token = token
        self._proxy = proxy
        self._timeout = timeout.total_seconds()
        self._moved: dict[str, str] = {}
        self._client: httpx.AsyncClient | None = None

    def read(self, request: WebhookRequest, /) -> Sequence[Arrival]:
        """See `Webhook.read`. The secret is compared in constant time."""
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._secret):
            raise WebhookRefusedError("the secret token is missing or wrong; set the same one in setWebhook")
        try:
            update = _update.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise WebhookUnreadableError(f"not an update of the Bot API: {exc}") from exc
        arrival = self._route(update)
        return () if arrival is None else (arrival,)

    async def send(self, outgoing: Outgoing, /) -> Sent:
        """See `Channel.send`. An edit that changes nothing counts as sent, one of a lost message is sent anew."""
        reply = outgoing.reply
        if reply.to.startswith(CLICK):
            toast = {"callback_query_id": reply.to.removeprefix(CLICK), "text": reply.text[:MAX_TOAST_CHARACTERS]}
            return await self._call("answerCallbackQuery", toast)
        if problem := _problem(reply):
            return Sent(outcome=SendOutcome.REJECTED, error=problem)
        content: dict[str, object] = {"chat_id": self._moved.get(reply.to, reply.to), "text": reply.text}
        keyboard = {"reply_markup": _keyboard(reply)}
        if reply.edits:
            edit = {**content, **keyboard, "message_id": int(reply.edits)}
            sent = await self._call("editMessageText", edit)
            if not (sent.outcome is SendOutcome.REJECTED and any(gone in sent.error for gone in _GONE)):
                return sent
        sent = await self._call("sendMessage", {**content, **keyboard} if reply.buttons else content)
        if sent.outcome is SendOutcome.ACCEPTED and reply.key and self.on_accepted is not None:
            accepted = Accepted(key=reply.key, chat=reply.to, message_id=sent.provider_id, lost=reply.edits)
            await self._report(self.on_accepted, accepted)
        return sent

    async def _report(self, tell: OnAccepted, accepted: Accepted) -> None:
        """Tell the application; it was sent whatever becomes of that."""
        try:
            await tell(accepted)
        except TurnkeeperError as exc:
            logger.warning("telegram_message_id_lost", extra={"key": accepted.key, "reason": str(exc)})

    async def set_webhook(self, url: str) -> None:
        """Tell Telegram where updates go, with the secret.

        Raises:
            ConfigurationError: Telegram refused, with its reason.
        """
        wanted = ["message", "edited_message", "callback_query"]
        content = {"url": url, "secret_token": self._secret.decode(), "allowed_updates": wanted}
        sent = await self._call("setWebhook", content)
        if sent.outcome is not SendOutcome.ACCEPTED:
            raise ConfigurationError(f"setWebhook: {sent.error or sent.outcome.value}")

    async def close(self) -> None:
        """See `Channel.close`."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _call(self, method: str, content: Mapping[str, object]) -> Sent:
        if self._client is None:
            transport = _WithToken(self._token, proxy=self._proxy)
            self._client = httpx.AsyncClient(timeout=self._timeout, transport=transport)
        try:
            response = await self._client.post(f"{self._api}/{method}", json=content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            return Sent(outcome=SendOutcome.RETRY, error=f"{method}: {type(exc).__name__}")
        except httpx.HTTPError as exc:
            return Sent(outcome=SendOutcome.UNKNOWN, error=f"{method}: {type(exc).__name__}")
        sent, moved_to = _judged(method, response)
        if moved_to:
            self._follow(str(content.get("chat_id")), moved_to)
        return sent

    def _follow(self, chat: str, moved_to: str) -> None:
        """Send to the new id of a group that became a supergroup; what was sent to the old one was not taken."""
        logger.warning("telegram_chat_moved", extra={"chat": chat, "moved_to": moved_to})
        self._moved[next((old for old, new in self._moved.items() if new == chat), chat)] = moved_to


class _WithToken(httpx.AsyncBaseTransport):
    """Puts the token into the address below the client, which logs every address that it is given."""

    def __init__(self, token: str, *, proxy: str | None) -> None:
        self._bot = f"/bot{token}"
        self._inner = httpx.AsyncHTTPTransport(proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`."""
        folder, _, method = request.url.path.rpartition("/")
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(path=f"{folder}{self._bot}/{method}"),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        """See `httpx.AsyncBaseTransport`."""
        await self._inner.aclose()


def _judged(method: str, response: httpx.Response) -> tuple[Sent, str]:
    """Return what an answer of the Bot API means: `{"ok": …, "result" | "description", "parameters"}`.

    With it comes the new id of a chat that moved, as groups do when they become supergroups; else an empty string.
    """
    try:
        answer: Any = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        answer = None
    if not isinstance(answer, dict):
        outcome = SendOutcome.RETRY if response.status_code >= _SERVER_ERROR else SendOutcome.UNKNOWN
        return Sent(outcome=outcome, code=str(response.status_code), error=f"{method}: no answer of the Bot API"), ""
    if answer.get("ok") is True:
        result = answer.get("result")
        message_id = result.get("message_id", "") if isinstance(result, dict) else ""
        return Sent(outcome=SendOutcome.ACCEPTED, provider_id=str(message_id)), ""
    code, text = str(answer.get("error_code", response.status_code)), str(answer.get("description", ""))
    if _UNCHANGED in text or (method == "answerCallbackQuery" and _TOO_OLD in text):
        return Sent(outcome=SendOutcome.ACCEPTED, code=code), ""
    error, told = f"{method}: {text}", answer.get("parameters")
    parameters: dict[str, Any] = told if isinstance(told, dict) else {}
    if isinstance(moved_to := parameters.get("migrate_to_chat_id"), int):
        return Sent(outcome=SendOutcome.RETRY, code=code, error=error), str(moved_to)
    if response.status_code == _TOO_MANY:
        seconds = parameters.get("retry_after")
        wait = timedelta(seconds=seconds) if isinstance(seconds, int) else None
        return Sent(outcome=SendOutcome.RETRY, code=code, error=error, retry_after=wait), ""
    outcome = SendOutcome.RETRY if response.status_code >= _SERVER_ERROR else SendOutcome.REJECTED
    return Sent(outcome=outcome, code=code, error=error), ""


def _problem(reply: Reply) -> str:
    if (size := len(reply.text.encode("utf-16-le")) // 2) > MAX_TEXT_CHARACTERS:
        return f"the text has {size} characters, Telegram takes {MAX_TEXT_CHARACTERS}"
    for button in reply.buttons:
        if not 0 < len(button.data.encode()) <= MAX_DATA_BYTES:
            return f"the data of button {button.text!r} must have 1 to {MAX_DATA_BYTES} bytes"
    if reply.edits and not reply.edits.isdecimal():
        return f"{reply.edits!r} is no id of a message to edit"
    return ""


def _keyboard(reply: Reply) -> dict[str, object]:
    """Return the buttons, each in a row of its own; none takes an earlier keyboard away."""
    return {"inline_keyboard": [[{"text": button.text, "callback_data": button.data}] for button in reply.buttons]}
