"""The plant goes on where it was: after a restart, and after its history."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from looking import step, value

from ic3.simulator import checkpoint, history
from ic3.simulator.checkpoint import Moment, keep, load, resume, save
from ic3.simulator.faults import Planned
from ic3.simulator.plant import Plant

AT_S = 1_781_487_000 // 300 * 300
METER = "Azadpur_BFM_6"


def test_plant_goes_on_after_a_restart_without_a_jump(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "plant.json"
    begun = Moment(plant.at_s, plant.state())
    plant.faults.start(Planned(kind="leak", where="Azadpur"), from_s=plant.at_s)
    step(plant)
    save(path, keep(plant, begun=begun))
    step(plant, 600)
    other = Plant()
    assert resume(other, load(path, seed=1), at_s=plant.at_s) == begun
    other.read(at_ns=other.at_s * 10**9, tick=other.at_s // 15)
    assert [event.kind for event in other.faults.events] == ["leak"]
    levels = np.array(plant.state()["levels_m"]) - other.state()["levels_m"]
    assert np.abs(levels).max() < 0.02
    assert value(other, METER, "TOTALISER") == pytest.approx(
        value(plant, METER, "TOTALISER"), abs=0.5
    )
    other.close()


def test_totals_go_on_after_a_long_absence(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "plant.json"
    save(path, keep(plant, begun=Moment(plant.at_s, plant.state())))
    other = Plant()
    resume(other, load(path, seed=1), at_s=plant.at_s + 10 * 86_400)
    assert other.state()["total_m3"] == plant.state()["total_m3"]
    other.close()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":1}', b"\xff"])
def test_file_that_cannot_be_read_is_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plant.json"
    path.write_bytes(content)
    assert load(path, seed=1) is None


def test_file_of_another_seed_or_version_is_as_none(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plant.json"
    save(path, keep(plant, begun=Moment(plant.at_s, plant.state())))
    assert load(path, seed=1) is not None
    assert load(path, seed=2) is None
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    assert load(path, seed=1) is None


def frames(written: bytes) -> list[tuple[int, dict[str, dict[str, object]]]]:
    stream = io.BytesIO(written)
    coming = json.loads(stream.readline())
    found = []
    for _ in range(coming["steps"]):
        at_s, keys, size = map(int, stream.readline().split())
        lines = stream.read(size).decode().split("\n")
        envelopes = [json.loads(text) for text in lines[1::2]]
        assert len(envelopes) == keys
        assert [f"ic3:latest:{e['asset_id']}" for e in envelopes] == lines[0:-1:2]
        found.append((at_s, {e["asset_id"]: e for e in envelopes}))
    assert stream.read() == b""
    return found


def test_history_is_every_five_minutes_and_every_15_s_in_the_last_hour() -> None:
    found = history.moments(AT_S, 2)
    steps = np.diff([*found, AT_S])
    assert list(steps[:5]) == [300] * 5
    assert list(steps[-241:]) == [300] + [15] * 240
    assert found[0] == AT_S - 2 * 86_400


def test_history_joins_the_live_feed_without_a_jump(tmp_path: Path) -> None:
    """The live plant was there first: levels and totals meet its first moment."""
    path = tmp_path / "plant.json"
    live = Plant()
    begun = resume(live, None, at_s=AT_S)
    save(path, keep(live, begun=begun))
    live.read(at_ns=AT_S * 10**9, tick=AT_S // 15)
    out = io.BytesIO()
    history.write(out, seed=1, days=0.5, scenario="none", state=path)
    last_s, last = frames(out.getvalue())[-1]
    assert AT_S - last_s == 15
    for asset in live.assets:
        before = last[asset.serial]["values"]
        assert isinstance(before, dict)
        if asset.kind.infix == "LIT":
            assert abs(before["LEVEL"] - value(live, asset.serial, "LEVEL")) < 0.06
        elif asset.kind.infix == "BFM":
            counted = value(live, asset.serial, "TOTALISER") - before["TOTALISER"]
            assert -0.05 < counted < 15 / 3600 * 4000
    live.close()


def test_history_that_came_first_is_where_the_live_plant_begins(tmp_path: Path) -> None:
    path = tmp_path / "plant.json"
    out = io.BytesIO()
    history.write(out, seed=1, days=0.1, scenario="history", state=path)
    last_s, last = frames(out.getvalue())[-1]
    found = load(path, seed=1)
    assert found is not None
    assert 0 < found.begun.at_s - last_s <= 15
    assert found.events == []
    live = Plant()
    resume(live, found, at_s=found.begun.at_s)
    live.read(at_ns=live.at_s * 10**9, tick=live.at_s // 15)
    values = last[METER]["values"]
    assert isinstance(values, dict)
    assert -0.05 < value(live, METER, "TOTALISER") - values["TOTALISER"] < 2
    live.close()


def test_history_twice_is_the_same_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "plant.json"
    live = Plant()
    save(path, keep(live, begun=resume(live, None, at_s=AT_S)))
    live.close()
    written = []
    for _ in range(2):
        out = io.BytesIO()
        history.write(out, seed=1, days=0.05, scenario="history", state=path)
        written.append(out.getvalue())
    assert written[0] == written[1]
