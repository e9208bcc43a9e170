"""Timetables of faults: the demo's, the one behind back-filled history, and those of a file."""

from pathlib import Path
from typing import Final

import msgspec

from ic3.simulator.faults import FaultError, Faults, Planned

DEMO: Final = (
    Planned(kind="burst", where="Azadpur", after_min=2, minutes=20, magnitude=120),
    Planned(kind="freeze", where="Dev Nagar_PT_10:PRESSURE", after_min=3, minutes=25),
    Planned(kind="leak", where="Kirti Nagar", after_min=4, minutes=110, magnitude=25),
    Planned(kind="imbalance", where="Shadipur_Pump_21", after_min=6, minutes=40, magnitude=5),
    Planned(kind="gateway_outage", where="gateway", after_min=10, minutes=0.75),
    Planned(kind="worn_pump", where="Munirka_Pump_30", after_min=12, minutes=90, magnitude=15),
    Planned(kind="power_failure", where="Defence Colony BPS", after_min=30, minutes=6),
    Planned(kind="wrong_clock", where="Janakpuri_CL2_21", after_min=40, minutes=20),
    Planned(kind="valve_closed", where="Model Town_SV_2", after_min=60, minutes=20),
)
DEMO_ROUND_MIN: Final = 120.0
DEMO_ROUNDS: Final = 84  # a week
# Minutes before the end of the history.
_DAY: Final = 1440.0
HISTORY: Final = (
    Planned(kind="worn_pump", where="Munirka_Pump_30", after_min=-25 * _DAY, minutes=22 * _DAY),
    Planned(kind="leak", where="Kirti Nagar", after_min=-14 * _DAY, minutes=10 * _DAY),
    Planned(kind="burst", where="Azadpur", after_min=-20 * _DAY, minutes=360),
    Planned(kind="drift", where="Dev Nagar_PT_10:PRESSURE", after_min=-10 * _DAY,
            minutes=3 * _DAY),
    Planned(kind="power_failure", where="Defence Colony BPS", after_min=-6 * _DAY, minutes=75),
    Planned(kind="valve_stuck_open", where="Bawana Road_SV_39", after_min=-8 * _DAY,
            minutes=2 * _DAY),
)  # fmt: skip


def plan(faults: Faults, name: str, *, from_s: float) -> None:
    """Plan a scenario.

    Args:
        faults: Whose events are added to.
        name: `none`, `demo`, `history`, or a JSON file with a list of `Planned`.
        from_s: Its start, seconds since 1970 UTC.

    Raises:
        FaultError: The file cannot be read, or a line of it cannot be played.
    """
    if name == "none":
        return
    if name == "demo":
        for turn in range(DEMO_ROUNDS):
            for each in DEMO:
                faults.start(each, from_s=from_s + 60 * turn * DEMO_ROUND_MIN, by="timetable")
        return
    lines = HISTORY if name == "history" else _read(Path(name))
    for number, line in enumerate(lines, 1):
        try:
            faults.start(line, from_s=from_s, by="scenario")
        except FaultError as error:
            raise FaultError(f"{name}: fault {number}: {error}") from None


def _read(path: Path) -> list[Planned]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Planned])
    except OSError as error:
        raise FaultError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise FaultError(f"{path}: {error}") from None
