"""The team's file: read once, at the start, and refused there if it cannot be right."""

from pathlib import Path

import pytest

from dispatch.team import DEMO, team_from
from turnkeeper import ConfigurationError


def test_the_team_is_the_files(tmp_path: Path) -> None:
    """Without one it is the demonstration's; an empty setting counts as none."""
    file = tmp_path / "team.json"
    file.write_text('{"group": "-1", "vendors": {"JS": "-2"}, "couriers": ["Zoë"]}', "utf-8")
    team = team_from({"DISPATCH_TEAM": str(file)})

    assert (team.group, team.vendors, team.couriers) == ("-1", {"JS": "-2"}, ("Zoë",))
    assert team_from({}) is team_from({"DISPATCH_TEAM": " "}) is DEMO


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"group": "-1"}', "vendors"),
        ('{"group": -1, "vendors": {}}', "group"),
        ('{"group": "-1", "vendors": {}, "courier": []}', "courier"),
        ('{"group": "-1", "vendors": {}, "timezone": "Mars/Olympus"}', "Mars/Olympus"),
        ('{"group": "-1", "vendors": {}, "timezone": "../etc/passwd"}', "time zone"),
        ('{"group": "-1", "vendors": {}, "timezone": ""}', "time zone"),
        ("not json", "JSON"),
    ],
)
def test_a_file_that_cannot_be_right_is_told(tmp_path: Path, content: str, told: str) -> None:
    """With the file and the reason, before anything is served."""
    file = tmp_path / "team.json"
    file.write_text(content, "utf-8")

    with pytest.raises(ConfigurationError, match=told) as refused:
        team_from({"DISPATCH_TEAM": str(file)})
    assert str(file) in str(refused.value)
