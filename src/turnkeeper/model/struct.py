"""`Struct`: the class that users subclass for the state of a conversation.

It is a plain, mutable msgspec Struct: fields have types, defaults may be `[]` or `{}` (each instance gets its own).
Give every field a default, so that a new conversation can begin and older stored states can be read.
"""

import msgspec


class Struct(msgspec.Struct, kw_only=True):
    """The state of a conversation, or a part of it.

    Types are checked when a state is stored and when it is read, not while a handler assigns. A field named `_` is
    not possible: stored states keep their envelope there.
    """
