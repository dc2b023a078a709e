"""Every command works on Redis as it does on a file: one URL, and nothing else changes."""

import json
from pathlib import Path

import httpx

from tests.conformance.redis_servers import RedisServer
from tests.integration.server_process import Phone, ServerProcess, run_cli

BOT = "tests.integration.notebook:app"
NUMBER = "+15551230001"


def test_the_meal_planner_survives_a_kill_on_redis(tmp_path: Path, server: RedisServer) -> None:
    """Killed while the cart is read, started again: the plan comes by itself, once, and nothing was kept in files."""
    url = server.url(server.fresh())
    with ServerProcess(tmp_path, "--store", url, command="demo", env={"MEALPLAN_PACE_SECONDS": "1"}) as served:
        phone = Phone(served, NUMBER)
        phone.send("plan", id="m1")
        phone.wait_for_status("analyzing")
        served.kill()
        served.start()
        repeated = phone.send("plan", id="m1").json()["outcome"]
        replies = phone.wait_for_reply("Shall we cook this?")
        health = httpx.get(f"{served.url}/health/redis").json()
        status = served.terminate()

    assert (status, repeated) == (0, "duplicate")
    assert sum("Analyzing your cart" in reply for reply in replies) == 1
    assert sum("5 dinners" in reply for reply in replies) == 1
    assert (health["configured"], health["status"]) == (True, "ok")
    assert list(tmp_path.iterdir()) == []


def test_the_other_commands_see_what_was_said(tmp_path: Path, server: RedisServer) -> None:
    """Terminal, lists and dead letters, by the same URL, given or found in the environment."""
    url = server.url(server.fresh())
    said = run_cli(tmp_path, "chat", BOT, "--as", NUMBER, "--store", url, stdin=b"milk\nfail\neggs\n")
    listed = run_cli(tmp_path, "conversations", "list", "--json", "--store", url)
    shown = run_cli(tmp_path, "conversations", "show", NUMBER, "--json", env={"REDIS_URL": url})
    dead = run_cli(tmp_path, "dead-letters", "list", "--json", "--store", url)
    (letter,) = json.loads(dead.stdout)["dead_letters"]
    redriven = run_cli(tmp_path, "dead-letters", "redrive", letter["id"], "--store", url)

    assert said.stdout.splitlines()[0] == "noted milk"
    assert said.stdout.splitlines()[-1] == "noted eggs"
    assert [one["conversation"] for one in json.loads(listed.stdout)["conversations"]] == [f"notebook:{NUMBER}"]
    assert json.loads(shown.stdout)["person"] == NUMBER
    assert letter["kind"] == "message"
    assert redriven.stdout.startswith("redriven: 1 of 1")
