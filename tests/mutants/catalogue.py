"""The mutants: what each breaks, and who must find it."""

from tests.mutants.mutant import Mutant

SIMULATION = "simulation"
MEMORY_SUITE = "tests/conformance/test_memory.py -k "
REDIS_SUITE = "tests/conformance/test_redis.py -k "

_MEMORY_FENCE = (
    "    if not head.token or head.token != request.token or head.fence != request.fence:\n        return Fenced()\n"
)
_MEMORY_VERSION = (
    "    if head.version != request.version or head.generation != request.generation:\n"
    "        return Conflict(version=head.version)\n"
)
_NOT_BROUGHT = (
    "        if not accepted.durable:\n            return Verdict.RETRY, FULL_WAIT_MS, accepted.outcome.value\n"
)

MEMORY = (
    Mutant(
        name="a commit asks nobody whether the lease is still held",
        file="stores/memory/commit.py",
        old=_MEMORY_FENCE + _MEMORY_VERSION,
        new="",
        layer=SIMULATION,
        invariant=4,
    ),
    Mutant(
        name="a commit looks at the version but not at the fence",
        file="stores/memory/commit.py",
        old=_MEMORY_FENCE,
        new="",
        layer=SIMULATION,
        invariant=8,
    ),
    Mutant(
        name="a message that was seen before is taken again",
        file="stores/memory/begin.py",
        old="    if receipt is not None:\n        if not receipt.done",
        new="    if receipt is not None and not receipt.done:\n        if not receipt.done",
        layer=SIMULATION,
        invariant=2,
    ),
    Mutant(
        name="a repeated commit is not recognised",
        file="stores/memory/commit.py",
        old="    if head.last_commit_id == request.commit_id:\n        return _repeat(tables, head, now, request)\n",
        new="",
        layer=SIMULATION,
        invariant=7,
    ),
    Mutant(
        name="a lease that lasts is given to the next one who asks",
        file="stores/memory/tables.py",
        old="        return bool(self.token) and self.lease_until_ms > now\n",
        new="        return False\n",
        layer=SIMULATION,
        invariant=8,
    ),
    Mutant(
        name="the newest message that waits is handed out first",
        file="stores/memory/begin.py",
        old="    head.inbox.append(Waiting(",
        new="    head.inbox.insert(head.handed, Waiting(",
        layer=SIMULATION,
        invariant=3,
    ),
    Mutant(
        name="a message that arrives while a turn runs is only said to be kept",
        file="stores/memory/begin.py",
        old="    head = open_head(tables, request.conversation, now)\n    accept(",
        new="    head = open_head(tables, request.conversation, now)\n    if head.is_leased(now):\n"
        "        return Queued(position=len(head.inbox), ready_ms=now)\n    accept(",
        layer=SIMULATION,
        invariant=1,
    ),
    Mutant(
        name="a claim that ran out leaves no doubt",
        file="stores/memory/lanes.py",
        old="        entry.maybe_sent = entry.maybe_sent or entry.claimed\n",
        new="        pass\n",
        layer=SIMULATION,
        invariant=6,
    ),
    Mutant(
        name="a lane hands out what stands behind an entry that must wait",
        file="stores/memory/lanes.py",
        old="            return line.entries[:index]\n",
        new="            return [one for one in line.entries if one.due_ms <= now]\n",
        layer=SIMULATION,
        invariant=6,
    ),
    Mutant(
        name="a receipt forgets the reply",
        file="stores/memory/commit.py",
        old="            receipt.reply = None if request.reply is None else bytes(request.reply)\n",
        new="            receipt.reply = None\n",
        layer=SIMULATION,
        invariant=9,
    ),
    Mutant(
        name="a state's time runs out while something is in flight",
        file="stores/memory/tables.py",
        old="self.expires_ms <= now and not self.is_in_flight()",
        new="self.expires_ms <= now",
        layer=SIMULATION,
        invariant=10,
        seeds=400,
    ),
    Mutant(
        name="nobody is told of a turn that was given back",
        file="stores/memory/deliveries.py",
        old="    if head.inbox:\n        ready_ms",
        new="    if head.inbox and (head.token or not head.errors):\n        ready_ms",
        layer=SIMULATION,
        invariant=11,
    ),
    Mutant(
        name="a forgotten conversation stays in the feed",
        file="stores/memory/lifetime.py",
        old="        del tables.heads[key]\n    tables.feed.pop(key, None)\n",
        new="        del tables.heads[key]\n",
        layer=SIMULATION,
        invariant=12,
    ),
    Mutant(
        name="a dead message stays in the inbox",
        file="stores/memory/commit.py",
        old="    del head.inbox[: request.take]\n",
        new="    del head.inbox[: request.take - (request.dead is not None)]\n",
        layer=SIMULATION,
        invariant=2,
    ),
    Mutant(
        name="a message that is given up leaves no dead letter",
        file="stores/memory/commit.py",
        old="    if request.dead is not None:\n",
        new="    if request.dead == '':\n",
        layer=SIMULATION,
        invariant=1,
    ),
    Mutant(
        name="half of the effects are lost when the lane is busy",
        file="stores/memory/lanes.py",
        old="    head.lanes.setdefault(name, Line()).entries.append(entry)\n",
        new="    if name == '' and name in head.lanes:\n        return\n"
        "    head.lanes.setdefault(name, Line()).entries.append(entry)\n",
        layer=SIMULATION,
        invariant=6,
    ),
    Mutant(
        name="a claim ends at once",
        file="stores/memory/lanes.py",
        old="    line.until_ms = max(line.until_ms, until_ms)\n    for entry in entries:",
        new="    for entry in entries:",
        layer=MEMORY_SUITE + "a_held_lane_is_not_for_others",
    ),
    Mutant(
        name="only errors count as attempts",
        file="stores/memory/begin.py",
        old="    head.attempts += 1\n",
        new="    head.attempts = head.errors + 1\n",
        layer=MEMORY_SUITE + "attempts_count_crashes_and_errors_apart",
    ),
    Mutant(
        name="receipts are kept for eight messages",
        file="stores/memory/tables.py",
        old="        while len(self.receipts) > RECEIPTS_KEPT:\n",
        new="        while len(self.receipts) > 8 and any(one.done for one in self.receipts.values()):\n",
        layer=SIMULATION,
        invariant=2,
        seeds=400,
    ),
    Mutant(
        name="anybody may settle a lane",
        file="stores/memory/lanes.py",
        old="or not line.token or line.token != settlement.token:",
        new="or not line.token:",
        layer=MEMORY_SUITE + "a_wrong_token_changes_nothing",
    ),
)
"""In the store that is the model of the others."""

ENGINE = (
    Mutant(
        name="replies of a turn that was fenced off are sent",
        file="engine/running/commit.py",
        old='        logger.warning("commit_fenced"',
        new="        replies = [effect for effect in draft.effects if effect.kind is EffectKind.REPLY]\n"
        "        self._outbox.send_committed(run.conversation, replies, token='', claimed_at=asked_at)\n"
        '        logger.warning("commit_fenced"',
        layer=SIMULATION,
        invariant=5,
        seeds=400,
    ),
    Mutant(
        name="a job is settled before its result is brought home",
        file="engine/delivering/jobs.py",
        old="                accepted = await self._inbox.bring(work.held.conversation, message)\n",
        new="                await self._settle(work.claim, work.entry, Verdict.DONE)\n"
        "                accepted = await self._inbox.bring(work.held.conversation, message)\n",
        layer=SIMULATION,
        invariant=1,
        seeds=400,
    ),
    Mutant(
        name="a message is accepted although the store refused it",
        file="engine/inbox.py",
        old="                    raise unknown from None\n                raise\n",
        new="                    raise unknown from None\n                return Queued(position=1, ready_ms=0)\n",
        layer=SIMULATION,
        invariant=1,
    ),
    Mutant(
        name="a refusal after a lost answer is told as a refusal",
        file="engine/inbox.py",
        old="raise unknown from None",
        new="raise",
        layer=SIMULATION,
        invariant=7,
        seeds=400,
    ),
    Mutant(
        name="what was claimed together goes on after a retry",
        file="engine/delivering/outbox.py",
        old="                        _drop(queue, hold.token)",
        new="                        pass",
        layer=SIMULATION,
        invariant=6,
        seeds=400,
    ),
    Mutant(
        name="a reply is sent again although its channel wants it held",
        file="engine/delivering/outbox.py",
        old="if entry.maybe_sent and entry.attempt > 1 and channel.on_unknown is OnUnknown.HOLD:",
        new="if entry.attempt > 1_000:",
        layer=SIMULATION,
        invariant=6,
        seeds=400,
    ),
    Mutant(
        name="idle workers look ten times a second",
        file="engine/worker.py",
        old="self.look(wait=self._settings.poll)",
        new="self.look(wait=self._settings.poll / 10)",
        layer=SIMULATION,
        invariant=11,
    ),
    Mutant(
        name="a timer that could not be brought home is done all the same",
        file="engine/delivering/timers.py",
        old=_NOT_BROUGHT,
        new="",
        layer=SIMULATION,
        invariant=1,
        seeds=400,
    ),
    Mutant(
        name="a turn that never ends is renewed for ever",
        file="engine/heartbeat.py",
        old="            if now >= held.deadline:\n                if not held.overdue:\n"
        "                    held.overdue = True\n                    held.end()\n",
        new="            if now >= held.deadline and not held.overdue:\n"
        "                held.overdue = True\n                held.end()\n",
        layer="tests/unit/test_engine_heartbeat.py -k deadline",
    ),
    Mutant(
        name="a handler whose lease was lost goes on",
        file="engine/heartbeat.py",
        old="                held.lost = True\n                held.end()\n",
        new="                held.lost = True\n",
        layer="tests/unit/test_engine_heartbeat.py -k lease_was_lost",
    ),
    Mutant(
        name="a STOP does not reach the replies that a sender has in hand",
        file="engine/running/commit.py",
        old="                self._outbox.silence(run.conversation)\n",
        new="                pass\n",
        layer="tests/unit/test_engine_deliveries.py -k in_hand",
    ),
)
"""In the engine."""

DIALOGUE = (
    Mutant(
        name="a receipt of a flow forgets the reply",
        file="dialogue/running/closing.py",
        old="        replies=tuple(reply.text for reply in ledger.replies),\n        parts=parts,\n",
        new="        parts=parts,\n",
        layer=SIMULATION,
        invariant=9,
        seeds=400,
    ),
    Mutant(
        name="a job is forgotten when the person says something else",
        file="dialogue/running/program.py",
        old="        thread.message_count += len(handling.messages)\n",
        new="        thread.message_count += len(handling.messages)\n        thread.jobs = ()\n",
        layer=SIMULATION,
    ),
    Mutant(
        name="an undo takes back what was to be kept",
        file="dialogue/running/handling.py",
        old="self.put_back(earlier, keep=self.plan.undo_keep)",
        new="self.put_back(earlier, keep=())",
        layer=SIMULATION,
    ),
)
"""In the dialogue layer."""

SQLITE = (
    Mutant(
        name="SQLite: a commit looks at nobody's fence",
        file="stores/sqlite/steps/commit.py",
        old="    if head.token != request.token or head.fence != request.fence:\n        return Fenced()\n",
        new="",
        layer="model:sqlite",
    ),
    Mutant(
        name="SQLite: a repeated commit is not recognised",
        file="stores/sqlite/steps/commit.py",
        old="    if head.last_commit_id == request.commit_id:\n        return _repeat(transaction, head, request)\n",
        new="",
        layer="model:sqlite",
    ),
    Mutant(
        name="SQLite: a lease never ends",
        file="stores/sqlite/steps/heads.py",
        old="        return bool(self.token) and self.lease_until_ms > now_ms\n",
        new="        return bool(self.token)\n",
        layer="model:sqlite",
    ),
    Mutant(
        name="SQLite: a state's time runs out while something is in flight",
        file="stores/sqlite/steps/heads.py",
        old="self.expires_ms <= now_ms and not self.is_in_flight",
        new="self.expires_ms <= now_ms",
        layer="model:sqlite",
    ),
    Mutant(
        name="SQLite: a claim that ran out leaves no doubt",
        file="stores/sqlite/steps/lanes.py",
        old='"UPDATE delivery SET is_uncertain = 1, token',
        new='"UPDATE delivery SET token',
        layer="model:sqlite",
    ),
    Mutant(
        name="SQLite: the clock of the machine is believed",
        file="stores/sqlite/file/storetime.py",
        old="max(self._latest_ms, at_least_ms)",
        new="0",
        layer="tests/integration/test_sqlite_upkeep.py -k clock",
    ),
    Mutant(
        name="SQLite: an answer leaves although nothing was committed",
        file="stores/sqlite/file/writer.py",
        old='            connection.execute("COMMIT")\n',
        new='            connection.execute("ROLLBACK")\n',
        layer="model:sqlite",
    ),
)
"""In SQLite."""

REDIS = (
    Mutant(
        name="Redis: a commit looks at nobody's fence",
        file="stores/redis/lua/commit.lua",
        old="elseif h[OWNER] ~= token or h[FENCE] ~= fence then refused = {'FENCED'}\n",
        new="",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: a repeated commit is not recognised",
        file="stores/redis/lua/commit.lua",
        old="local repeats, refused = h[COMMIT_ID] == commit_id, nil\n",
        new="local repeats, refused = false, nil\n",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: a lease that lasts is given to the next one who asks",
        file="stores/redis/lua/begin.lua",
        old="local leased = h[OWNER] ~= '' and h[DEADLINE] > now\n",
        new="local leased = false\n",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: a message that was seen before is taken again",
        file="stores/redis/lua/begin.lua",
        old="if seen and seen + window > now then",
        new="if false then",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: nobody is told of a turn that was given back",
        file="stores/redis/lua/release.lua",
        old="redis.call('ZADD', KEYS[2], math.max(h[READY], (struct.unpack('>I6', h[PENDING], 9))), ARGV[4])\n",
        new="redis.call('ZREM', KEYS[2], ARGV[4])\n",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: a claim that ran out leaves no doubt",
        file="stores/redis/lua/claim.lua",
        old="    if was == 1 then entry[6] = 1 end\n",
        new="",
        layer="model:redis",
    ),
    Mutant(
        name="Redis: what is in flight has a time to live",
        file="stores/redis/lua/commit.lua",
        old="if h[EXPIRES] > 0 and h[EFFECTS] == 0 and left == 0 then ends =",
        new="if h[EXPIRES] > 0 then ends =",
        layer="tests/integration/test_redis_lifetimes.py -k in_flight",
    ),
    Mutant(
        name="Redis: an interrupted turn leaves its memos to the next one",
        file="stores/redis/lua/begin.lua",
        old="  if interrupts and had_memos then redis.call('UNLINK', KEYS[6]) end\n",
        new="",
        layer=REDIS_SUITE + "stands_alone",
    ),
    Mutant(
        name="Redis: the numbers of a log begin anew",
        file="stores/redis/lua/begin.lua",
        old="h[LOG_SEQ] = last and tonumber(string.match(last, '^%d+')) or 0",
        new="h[LOG_SEQ] = 0",
        layer=REDIS_SUITE + "swept",
    ),
    Mutant(
        name="Redis: a release shortens a hold",
        file="stores/redis/lua/release.lua",
        old="h[READY] = math.max(h[READY], now + tonumber(ARGV[3]))",
        new="h[READY] = now + tonumber(ARGV[3])",
        layer=REDIS_SUITE + "shorten_a_hold",
    ),
    Mutant(
        name="Redis: a retention that became shorter is not looked at",
        file="stores/redis/lua/commit.lua",
        old="(h[PLANNED] == 0 or h[EXPIRES] < h[PLANNED] or forget)",
        new="(h[PLANNED] == 0 or forget)",
        layer=REDIS_SUITE + "became_shorter",
    ),
    Mutant(
        name="Redis: a part that nobody refers to any more stays",
        file="stores/redis/lua/shared/keeping.lua",
        old="        redis.call('PEXPIRE', value, grace)\n",
        new="",
        layer="tests/integration/test_redis_lifetimes.py -k retired_part",
    ),
    Mutant(
        name="Redis: a log ends before its entries do",
        file="stores/redis/lua/shared/keeping.lua",
        old="math.floor(keep_ms * 65 / 64) + 60000",
        new="math.floor(keep_ms * 63 / 64)",
        layer="tests/integration/test_redis_lifetimes.py -k log_has",
    ),
    Mutant(
        name="Redis: old receipts end with the state",
        file="stores/redis/lua/commit.lua",
        old="redis.call('PEXPIRE', KEYS[11], receipts_life) end\nlocal packed",
        new="redis.call('PEXPIRE', KEYS[11], ends) end\nlocal packed",
        layer="tests/integration/test_redis_lifetimes.py -k receipts",
    ),
)
"""In the scripts that run inside Redis."""

OUTAGE = (
    Mutant(
        name="what the store had no room for is forgotten in the journal",
        file="outage/queueing.py",
        old="        if not accepted.durable:\n            return False\n        await journal.remove",
        new="        await journal.remove",
        layer="tests/unit/test_outage_queue.py -k more_messages",
    ),
    Mutant(
        name="a STOP that was heard in an outage is lost in a conflict",
        file="outage/carry/writing_back.py",
        old="            opt_out=True if here.opted_out else None,\n",
        new="",
        layer="tests/unit/test_outage_way_back.py -k beside_a_conflict",
    ),
    Mutant(
        name="what was said in an outage is written over a conversation that began anew",
        file="outage/carry/writing_back.py",
        old="    if there.generation != note.generation:\n"
        '        return "the store\'s conversation was forgotten meanwhile and began anew"\n',
        new="",
        layer="tests/unit/test_outage_way_back.py -k began_anew",
    ),
)
"""In what happens while the store is away."""

MUTANTS = (*MEMORY, *ENGINE, *DIALOGUE, *SQLITE, *REDIS, *OUTAGE)
