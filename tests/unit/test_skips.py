"""The promise of `conftest.py`: nothing is skipped in silence."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

RULES = (Path(__file__).parents[2] / "conftest.py").read_text(encoding="utf-8")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return an empty project that lives by the same rules."""
    pytester.makeconftest(RULES)
    return pytester


def run(project: pytest.Pytester) -> pytest.RunResult:
    """Run the project's tests by `conftest.py` alone, without Turnkeeper's own plugin."""
    return project.runpytest_inprocess("-p", "no:turnkeeper", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    "body",
    [
        "import pytest\ndef test_it(): pytest.skip('no time today')",
        "import pytest\n@pytest.mark.skip(reason='flaky')\ndef test_it(): pass",
        "import pytest\n@pytest.mark.skipif(True, reason='not here')\ndef test_it(): pass",
        "import pytest\n@pytest.fixture\ndef it(): pytest.skip('no server')\ndef test_it(it): pass",
        "import unittest\nclass TestIt(unittest.TestCase):\n    def test_it(self): self.skipTest('no')",
    ],
)
def test_an_undeclared_skip_fails(project: pytest.Pytester, body: str) -> None:
    """Whichever way a test is skipped, the run is red and says why."""
    project.makepyfile(body)

    result = run(project)

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*was skipped (*no backend declared*"])


def test_a_module_that_skips_itself_fails(project: pytest.Pytester) -> None:
    """A missing package may not take a whole module of promises away."""
    project.makepyfile("import pytest\npytest.importorskip('a_package_that_nobody_has')\ndef test_it(): pass")

    result = run(project)

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*was skipped (*no backend declared*"])


def test_a_declared_inability_is_a_skip(project: pytest.Pytester) -> None:
    """A backend may say what it cannot do."""
    project.makepyfile("import pytest\ndef test_it(): pytest.skip('declared inability: no round trips')")

    result = run(project)

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(skipped=1)


def test_an_expected_failure_is_no_skip(project: pytest.Pytester) -> None:
    """`xfail` runs its test, so it hides nothing."""
    project.makepyfile("import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert False")

    result = run(project)

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(xfailed=1)
