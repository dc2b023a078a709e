"""A stand-in for Telegram on this machine: keeps chats, answers the calls of a bot, and brings its users' clicks.

Like the real one it outlives the bot, repeats an update until it gets a 2xx, and knows nothing of orders or flows.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from turnkeeper.errors import ConfigurationError
from turnkeeper.ports.clock import SystemClock

_RETRY_SECONDS = 0.2
"""Wait before an update is brought again; the real one waits longer."""

Shown = dict[str, Any]
"""A message as Telegram has it, with the `buttons` of its keyboard, and `version` that counts its changes."""


class TelegramStandIn:
    """Chats, and a bot that talks in them. Mount `routes` into an ASGI application and run `running` around it.

    `messages` holds every message by chat and id, oldest first; `toasts` the answers to clicks by their query.
    """

    def __init__(self, *, webhook: str, secret: str, keep: Path | None = None) -> None:
        """Take where the bot's updates go and the secret that goes with them.

        Args:
            webhook: URL of the bot.
            secret: As the bot has it.
            keep: A file in which the chats survive the end of this process; None: they do not.
        """
        self.webhook = webhook
        self.secret = secret
        self.messages: dict[tuple[str, int], Shown] = {}
        self.toasts: dict[str, str] = {}
        self.undelivered = 0
        self._clock = SystemClock()
        self._keep = keep
        self._numbers = itertools.count(self._now())
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        if keep is not None and keep.exists():
            for shown in msgspec.json.decode(keep.read_bytes(), type=list[Shown]):
                self.messages[(str(shown["chat"]["id"]), shown["message_id"])] = shown

    @property
    def routes(self) -> list[Route]:
        """Return the Bot API: `/bot{token}/{method}`."""
        return [Route("/bot{token}/{method}", self._call, methods=["POST"])]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Bring updates for as long as the block runs, four at a time, as the real one brings several."""
        async with httpx.AsyncClient(timeout=10) as client:
            tasks = [asyncio.create_task(self._bring(client)) for _ in range(4)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def click(self, chat: str, message_id: int, data: str, *, user: str) -> str:
        """Let a user press a button; return the id of the query, under which `toasts` has the answer.

        Raises:
            ConfigurationError: There is no such message.
        """
        shown = self.messages.get((chat, message_id))
        if shown is None:
            raise ConfigurationError(f"there is no message {message_id} in chat {chat}")
        number = next(self._numbers)
        query = f"q{number}"
        sender = {"id": sum(user.encode()), "is_bot": False, "first_name": user}
        message = {key: shown[key] for key in ("message_id", "date", "chat", "text")}
        self._enqueue(
            {
                "update_id": number,
                "callback_query": {"id": query, "from": sender, "message": message, "chat_instance": "1", "data": data},
            }
        )
        return query

    def say(self, chat: str, text: str, *, user: str) -> None:
        """Let a user write something."""
        number = next(self._numbers)
        sender = {"id": sum(user.encode()), "is_bot": False, "first_name": user}
        message = {"message_id": number, "date": self._now(), "chat": _chat(chat), "text": text, "from": sender}
        self._enqueue({"update_id": number, "message": message})

    def _now(self) -> int:
        return self._clock.now_ms() // 1000

    def _enqueue(self, update: dict[str, Any]) -> None:
        self.undelivered += 1
        self._queue.put_nowait(update)

    async def _bring(self, client: httpx.AsyncClient) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret}
        while True:
            update = await self._queue.get()
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.post(self.webhook, json=update, headers=headers)
                    if answer.is_success:
                        break
                await asyncio.sleep(_RETRY_SECONDS)
            self.undelivered -= 1

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        calls: dict[str, Callable[[dict[str, Any]], object]] = {
            "sendMessage": self._send,
            "editMessageText": self._edit,
            "answerCallbackQuery": self._answer,
            "setWebhook": lambda _: True,
        }
        if method not in calls:
            return _refused(404, "Not Found")
        try:
            result = calls[method](await request.json())
        except ClientDisconnect:
            return _refused(400, "Bad Request: the caller is gone")
        except (json.JSONDecodeError, KeyError, ValueError) as exc:
            return _refused(400, f"Bad Request: {exc.args[0] if exc.args else exc}")
        return JSONResponse({"ok": True, "result": result})

    def _send(self, content: dict[str, Any]) -> Shown:
        chat, number = str(content["chat_id"]), next(self._numbers)
        shown = {
            "message_id": number,
            "date": self._now(),
            "chat": _chat(chat),
            "text": content["text"],
            "buttons": _buttons(content),
            "version": number,
        }
        self.messages[(chat, number)] = shown
        self._save()
        return shown

    def _edit(self, content: dict[str, Any]) -> Shown:
        shown = self.messages.get((str(content["chat_id"]), int(content["message_id"])))
        if shown is None:
            raise ValueError("message to edit not found")
        changed = {"text": content["text"], "buttons": _buttons(content)}
        if all(shown[key] == value for key, value in changed.items()):
            raise ValueError("message is not modified")
        shown.update(changed, version=next(self._numbers))
        self._save()
        return shown

    def _answer(self, content: dict[str, Any]) -> bool:
        self.toasts[str(content["callback_query_id"])] = content.get("text", "")
        return True

    def _save(self) -> None:
        if self._keep is not None:
            self._keep.parent.mkdir(parents=True, exist_ok=True)
            new = self._keep.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(list(self.messages.values())))
            new.replace(self._keep)


def _chat(chat: str) -> dict[str, Any]:
    return {"id": int(chat), "type": "supergroup" if chat.startswith("-") else "private"}


def _buttons(content: dict[str, Any]) -> list[dict[str, str]]:
    rows = (content.get("reply_markup") or {}).get("inline_keyboard", [])
    return [{"text": button["text"], "data": button["callback_data"]} for row in rows for button in row]


def _refused(status: int, description: str) -> Response:
    return JSONResponse({"ok": False, "error_code": status, "description": description}, status_code=status)
