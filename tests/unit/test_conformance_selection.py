"""The conformance suite leaves out what a backend declares itself unable to do, and nothing else."""

import inspect
from collections import Counter

import pytest

from turnkeeper.testing import StoreConformance
from turnkeeper.testing.conformance.selection import ABILITIES, needs, undeclared

pytest_plugins = ["pytester"]

TESTS = """
    from turnkeeper.testing.conformance.selection import needs

    class Promises:
        abilities = frozenset()

        def test_for_all(self): pass

        @needs("evict")
        def test_for_some(self): pass

    class TestAble(Promises):
        abilities = frozenset({"evict"})

    class TestUnable(Promises):
        abilities = frozenset({"restart"})

    def test_of_somebody_else(): pass
"""


def test_a_test_needs_an_ability_that_exists() -> None:
    """A misspelt one would deselect its test for ever."""
    with pytest.raises(ValueError, match="evict, restart, second_process"):
        needs("evcit")


@pytest.mark.parametrize("ability", list(ABILITIES))
def test_only_an_undeclared_ability_is_missing(ability: str) -> None:
    """Whoever declares it is tested on it."""

    class Able:
        abilities = frozenset({ability})

    @needs(ability)
    def test() -> None:
        pass

    assert undeclared(test, Able) == ""
    assert undeclared(test, object) == ability
    assert undeclared(test_only_an_undeclared_ability_is_missing, object) == ""


def test_tests_of_undeclared_abilities_are_deselected_not_skipped(pytester: pytest.Pytester) -> None:
    """They are counted, and the others run."""
    pytester.makeconftest("""
        from turnkeeper.testing.conformance.selection import deselect_undeclared

        def pytest_collection_modifyitems(config, items):
            deselect_undeclared(config, items)
    """)
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=4, deselected=1)


def test_no_promise_hides_another() -> None:
    """The suite is composed: two promises of one name would be one test."""
    parts = [part for part in StoreConformance.__mro__ if part is not object]

    names = Counter(name for part in parts for name, _ in inspect.getmembers(part) if name in vars(part))

    assert [name for name, count in names.items() if count > 1 and name.startswith("test_")] == []


def test_every_promise_is_stated() -> None:
    """A test's name is the promise, its docstring says it in a sentence."""
    promises = inspect.getmembers(StoreConformance, inspect.iscoroutinefunction)
    unstated = [name for name, test in promises if name.startswith("test_") and not (test.__doc__ or "").strip()]

    assert len(promises) > 200
    assert unstated == []
