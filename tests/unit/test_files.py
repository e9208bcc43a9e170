"""Room for the live clients is made at the start, or it is said that there is none: F28."""

import resource
from typing import Any

import pytest

from ic3.app.checks import allow_files
from ic3.observations import Observation, Warned
from ic3.settings import load


@pytest.mark.parametrize(
    ("limits", "made", "told"),
    [
        ((1024, 4096), [(1200, 4096)], []),
        ((1024, resource.RLIM_INFINITY), [(1200, resource.RLIM_INFINITY)], []),
        ((4096, 4096), [], []),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), [], []),
        ((256, 1024), [(1024, 1024)], [
            "server: 1024 files may be open, 1000 live clients are allowed; ulimit -n 1200, or set"
            " IC3_WS_CLIENTS lower"
        ]),
    ],
)  # fmt: skip
def test_f28_room_for_all_live_clients_is_made_at_the_start_or_missed_aloud(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], made: Any, told: list[str]
) -> None:
    done: list[tuple[int, int]] = []
    heard: list[Observation] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: done.append(wanted))
    allow_files(load({}), heard.append)
    assert done == made
    assert heard == [Warned(text) for text in told]
