"""The tables, and how their version is kept in the file.

`application_id` says that a file is ours, `user_version` which schema it has. One conversation is one row of
`conversation` with everything that a decision needs; what is large or many stands in tables of its own, so that a
turn rewrites little. Messages keep their row after their turn: payload emptied, it is the receipt.
"""

APPLICATION_ID = 0x54754B70
"""`TuKp` in the file's header (`file mealplan.db` shows it)."""

VERSION = 1
"""Of the schema. Only ever grows; what opens an older file brings it up to this."""

CREATE = (
    # number: counts whatever changes, and names generations, etags and dead letters: it never repeats.
    # clock_ms: the latest time that a commit saw, to within a second.
    """
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        number INTEGER NOT NULL,
        clock_ms INTEGER NOT NULL
    )
    """,
    "INSERT INTO meta (id, number, clock_ms) VALUES (1, 0, 0)",
    # The columns are explained in steps/heads.py.
    """
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY,
        flow TEXT NOT NULL,
        person TEXT NOT NULL,
        member TEXT NOT NULL,
        state_key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        version INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        token TEXT NOT NULL,
        lease_until_ms INTEGER NOT NULL,
        handed INTEGER NOT NULL,
        interrupted INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        next_seq INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        ready_ms INTEGER NOT NULL,
        due_ms INTEGER,
        memos INTEGER NOT NULL,
        is_known INTEGER NOT NULL,
        published INTEGER,
        status TEXT,
        created_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        active_ms INTEGER,
        first_commit_ms INTEGER,
        expires_ms INTEGER,
        replies INTEGER NOT NULL,
        unsent INTEGER NOT NULL,
        timers INTEGER NOT NULL,
        next_effect INTEGER NOT NULL,
        log_seq INTEGER NOT NULL,
        log_keep_ms INTEGER NOT NULL,
        last_commit_id TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX conversation_name ON conversation (person, flow, member)",
    # The catalogue: in order of change per flow and status; lists over several of them are merged. What is not
    # listed any more has no status. The last two columns spare a count by status the rows themselves.
    "CREATE INDEX conversation_shelf ON conversation (flow, status, changed_ms, id, version, expires_ms)",
    "CREATE INDEX conversation_feed ON conversation (flow, published) WHERE published IS NOT NULL",
    "CREATE INDEX conversation_due ON conversation (flow, due_ms) WHERE due_ms IS NOT NULL",
    "CREATE TABLE state (conversation INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    """
    CREATE TABLE message (
        conversation INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        accepted_ms INTEGER NOT NULL,
        is_done INTEGER NOT NULL,
        id TEXT NOT NULL,
        payload BLOB NOT NULL,
        reply BLOB,
        PRIMARY KEY (conversation, seq)
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX message_digest ON message (conversation, digest)",
    """
    CREATE TABLE memo (
        conversation INTEGER NOT NULL,
        name TEXT NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (conversation, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE log (
        conversation INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (conversation, seq)
    ) WITHOUT ROWID
    """,
    # lane: empty for replies, else the effect's id. look_ms: when somebody must look at the lane; only its first
    # entry has one. commit_number: of the commit that it comes from, to tell what an opt-out came after.
    """
    CREATE TABLE delivery (
        conversation INTEGER NOT NULL,
        lane TEXT NOT NULL,
        number INTEGER NOT NULL,
        flow TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        due_ms INTEGER NOT NULL,
        look_ms INTEGER,
        token TEXT NOT NULL,
        until_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        is_uncertain INTEGER NOT NULL,
        committed_ms INTEGER NOT NULL,
        commit_number INTEGER NOT NULL,
        payload BLOB NOT NULL,
        PRIMARY KEY (conversation, lane, number)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX delivery_look ON delivery (flow, look_ms) WHERE look_ms IS NOT NULL",
    "CREATE INDEX delivery_name ON delivery (conversation, name) WHERE name <> ''",
    """
    CREATE TABLE dead (
        number INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        flow TEXT NOT NULL,
        source_id TEXT NOT NULL,
        kind TEXT,
        payload BLOB NOT NULL,
        error TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        version INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        name TEXT NOT NULL,
        is_uncertain INTEGER NOT NULL,
        committed_ms INTEGER NOT NULL,
        commit_number INTEGER NOT NULL
    )
    """,
    "CREATE INDEX dead_flow ON dead (flow, number)",
    "CREATE INDEX dead_conversation ON dead (conversation)",
    """
    CREATE TABLE opt_out (
        person TEXT NOT NULL,
        flow TEXT NOT NULL,
        is_out INTEGER NOT NULL,
        commit_number INTEGER NOT NULL,
        PRIMARY KEY (person, flow)
    ) WITHOUT ROWID
    """,
    # conversation: of parts; they go with it.
    """
    CREATE TABLE document (
        number INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        person TEXT NOT NULL,
        etag INTEGER NOT NULL,
        expires_ms INTEGER,
        conversation INTEGER,
        bytes BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX document_key ON document (collection, id, person)",
    "CREATE INDEX document_expiry ON document (expires_ms) WHERE expires_ms IS NOT NULL",
    "CREATE INDEX document_conversation ON document (conversation) WHERE conversation IS NOT NULL",
)
"""Run in one transaction on an empty file."""
