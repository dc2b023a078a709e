"""How a conversation begins, how long it is kept, and the three ways in which it ends.

Forgotten (its time is over, or a commit said so): the state goes, receipts and log stay their own time. Erased (on
request): everything goes. Swept: a head that was forgotten a dedup window ago is dropped, because nothing in it counts
any more.
"""

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import Document, DocumentKey, part_key
from turnkeeper.ports.limits import PART_GRACE
from turnkeeper.ports.turns import Commit, Forgotten
from turnkeeper.stores.memory.tables import DEDUP_WINDOW_MS, Head, Key, Tables, key_of

PART_GRACE_MS = PART_GRACE // PART_GRACE.resolution // 1000
"""How long a retired part is kept, in milliseconds."""


def open_head(tables: Tables, conversation: ConversationId, now: int) -> Head:
    """Return the head of a conversation; a new one has not begun yet and would be swept like a forgotten one."""
    key = key_of(conversation)
    head = tables.heads.get(key)
    if head is None:
        head = Head(conversation=conversation, generation=now, fence=0, expires_ms=now)
        tables.heads[key] = head
        plan_sweep(tables, head)
    return head


def forget_if_over(tables: Tables, head: Head, now: int) -> None:
    """Forget a state whose time is over, before anything new in flight would bring it back."""
    if head.created_ms and head.is_over(now):
        forget_state(tables, head, now)


def begin_if_over(tables: Tables, head: Head, now: int) -> None:
    """Forget a state whose time is over, and let the conversation begin if it has not."""
    forget_if_over(tables, head, now)
    if not head.created_ms:
        head.created_ms = head.changed_ms = now
        head.expires_ms = None


def forget_state(tables: Tables, head: Head, now: int) -> None:
    """Drop the state and what belongs to it; what waits or is unsent stays."""
    head.generation = max(now, head.generation + 1)
    head.version, head.state, head.status = 0, None, ""
    head.created_ms = 0
    head.active_ms = head.first_commit_ms = None
    head.expires_ms = now
    for part_id in head.parts:
        retire_part(tables, part_key(head.conversation, part_id), now)
    tables.publish(head.conversation)
    plan_sweep(tables, head)


def retain(tables: Tables, head: Head, commit: Commit, now: int) -> None:
    """Note a commit's activity, and how long the state is kept from now on."""
    if head.first_commit_ms is None:
        head.first_commit_ms = now
    if commit.active:
        head.active_ms = now
    since = head.first_commit_ms if head.active_ms is None or not commit.slide else head.active_ms
    head.expires_ms = None if commit.retain_ms is None else since + commit.retain_ms
    plan_sweep(tables, head)


def retire_part(tables: Tables, key: DocumentKey, now: int) -> None:
    """Let a part go after its grace."""
    found = tables.documents.get(key)
    if found is not None:
        put_document(tables, key, Document(data=found.data, version=found.version, expires_ms=now + PART_GRACE_MS))


def put_document(tables: Tables, key: DocumentKey, document: Document) -> None:
    """Store a document, and plan its end if it has one."""
    tables.documents[key] = document
    if document.expires_ms is not None:
        tables.agenda.plan(document.expires_ms, key)


def plan_sweep(tables: Tables, head: Head) -> None:
    """Look at a head again when a dedup window has passed over its end."""
    if head.expires_ms is not None:
        tables.agenda.plan(head.expires_ms + DEDUP_WINDOW_MS, key_of(head.conversation))


def sweep(tables: Tables, now: int) -> None:
    """Drop what nobody can read any more."""
    for name in tables.agenda.take(now):
        if isinstance(name, DocumentKey):
            document = tables.documents.get(name)
            if document is not None and document.expires_ms is not None:
                if document.expires_ms <= now:
                    del tables.documents[name]
                else:
                    tables.agenda.plan(document.expires_ms, name)
        elif isinstance(name, tuple):
            _sweep_conversation(tables, name, now)


def _sweep_conversation(tables: Tables, key: Key, now: int) -> None:
    head = tables.heads.get(key)
    if head is not None:
        if head.expires_ms is None:
            return
        over_ms = DEDUP_WINDOW_MS + (now if head.is_in_flight() else max(head.expires_ms, head.changed_ms))
        if over_ms > now:
            tables.agenda.plan(over_ms, key)
            return
        _drop_parts(tables, head)
        del tables.heads[key]
    tables.feed.pop(key, None)
    log = tables.logs.get(key)
    if log is not None and log.kept(now):
        tables.agenda.plan(now + DEDUP_WINDOW_MS, key)
    else:
        tables.logs.pop(key, None)


def erase(tables: Tables, key: Key, now: int) -> Forgotten:
    """Remove everything of a conversation but the person's opt-out, and count it."""
    head = tables.heads.pop(key, None)
    log = tables.logs.pop(key, None)
    letters = [name for name, buried in tables.dead.items() if key_of(buried.letter.conversation) == key]
    for name in letters:
        del tables.dead[name]
    entries = 0 if log is None else len(log.kept(now))
    if head is None:
        return Forgotten(log_entries=entries, dead_letters=len(letters))
    tables.publish(head.conversation)
    tables.agenda.plan(now + DEDUP_WINDOW_MS, key)
    return Forgotten(
        conversations=1,
        log_entries=entries,
        deliveries=len(head.entries()),
        parts=_drop_parts(tables, head),
        dead_letters=len(letters),
    )


def _drop_parts(tables: Tables, head: Head) -> int:
    keys = [part_key(head.conversation, part_id) for part_id in head.parts]
    return sum(tables.documents.pop(key, None) is not None for key in keys)
