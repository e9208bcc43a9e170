"""A client of the numbered protocol that keeps exactly the protocol's rules, and one to look at."""

import json
from collections.abc import Mapping
from typing import Any

Frame = dict[str, Any]


class Follower:
    """What a browser would know. `take` answers what it must say to the server, if anything."""

    def __init__(self) -> None:
        self.epoch = -1
        self.seq = -1
        self.assets: dict[str, int] = {}
        self.serials: dict[int, str] = {}
        self.alarms: dict[int, Mapping[str, Any]] = {}
        self.runs: dict[int, Mapping[str, Any]] = {}
        self.values: dict[str, Mapping[str, Any]] = {}
        self.waits = True
        self.snapshots = self.gaps = 0

    def point(self) -> str:
        """What a reconnect adds to its address."""
        return "" if self.seq < 0 else f"&epoch={self.epoch}&seq={self.seq}"

    def connected(self) -> None:
        """A new socket: nothing is believed before the server has greeted."""
        self.waits = True

    def take(self, text: str | bytes) -> Frame | None:
        """Take one frame."""
        frame = json.loads(text)
        match frame["op"]:
            case "hello":
                resumed = (frame["epoch"], frame["seq"]) == (self.epoch, self.seq)
                self.waits = not resumed
            case "snapshot":
                self._snapshot(frame)
            case "asset":
                if frame["i"] in self.serials:
                    self.values[self.serials[frame["i"]]] = frame["values"]
            case _:
                return self._shared(frame)
        return None

    def _shared(self, frame: Frame) -> Frame | None:
        if self.waits:
            return None
        if frame["seq"] != self.seq + 1:
            self.gaps += 1
            self.waits = True
            return {"op": "resync", "have": self.seq, "epoch": self.epoch}
        self.seq = frame["seq"]
        match frame["op"]:
            case "state":
                for index, state in frame["s"]:
                    self.assets[self.serials[index]] = state
            case "alarm":
                alarm = frame["alarm"]
                self.alarms[alarm["id"]] = alarm
                if alarm["state"] == "cleared":
                    del self.alarms[alarm["id"]]
            case "run":
                self.runs[frame["run"]["id"]] = frame["run"]
                for old in sorted(self.runs)[:-20]:
                    del self.runs[old]
            case _:
                assert frame["op"] == "ping"
        return None

    def _snapshot(self, frame: Frame) -> None:
        self.snapshots += 1
        self.epoch, self.seq, self.waits = frame["epoch"], frame["seq"], False
        self.serials = {row[0]: row[1] for row in frame["assets"]}
        self.assets = {row[1]: row[6] for row in frame["assets"]}
        self.alarms = {each["id"]: each for each in frame["alarms"]}
        self.runs = {each["id"]: each for each in frame["runs"]}
