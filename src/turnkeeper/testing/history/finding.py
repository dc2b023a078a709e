"""What an invariant finds, and what an invariant is."""

from collections.abc import Callable, Iterator

import msgspec

from turnkeeper.testing.history.books import Book, Books


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be: where, and what."""

    conversation: str
    text: str


Findings = Iterator[Finding]

Check = Callable[[Books], Findings]


def per_book(check: Callable[[Book], Iterator[str]]) -> Check:
    """Ask a question of every conversation."""

    def all_books(books: Books) -> Findings:
        for book in books.by_name.values():
            for text in check(book):
                yield Finding(book.name, text)

    all_books.__doc__ = check.__doc__
    all_books.__name__ = check.__name__
    return all_books
