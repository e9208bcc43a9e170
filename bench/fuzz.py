"""`make fuzz`: a million damaged envelopes through the parser; none may crash it or go unnamed.

Each begins as a right envelope of the simulated plant and is damaged by a seeded mutation: bytes
flipped, cut, repeated, spliced; values and fields replaced by hostile ones. What the parser takes
must be storable: its text is UTF-8 without NUL, its numbers finite, its time in the calendar.
"""

import argparse
import json
import math
import os
import platform
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ic3.domain.envelope import (
    MAX_TAGS,
    Envelope,
    EnvelopeRejected,
    Reject,
    parse,
    serial_of_key,
)
from ic3.gateway.sweep import content_hash_of
from ic3.simulator.plant import Plant

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
HOSTILE = (
    "NaN", "-Infinity", "1e400", "9" * 5000, "-0.0", "1e-400", "9007199254740993", "null", "true",
    "[]", "{}", '{"a":{"a":{"a":1}}}', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"',
    '"' + "x" * 5000 + '"',
    "[" * 3000 + "]" * 3000, '"\u202e"', '"\r\n\x1b[31m"', '"; DROP TABLE telemetry; --"', '""',
    "2026-06-15T01:41:43Z", '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999Z"',
    '"2026-06-15T24:00:00Z"', '"2026-06-15T01:41:60Z"', '"2026-06-15 01:41:43"', '"0000-00-00"',
    '"2026-06-15T01:41:43.267609313+23:59"', "0x10", "01", "1.", ".5", "+1", "1_000",
)  # fmt: skip


def damaged(text: str, other: str, draw: random.Random) -> str:  # noqa: PLR0911  one a mutation
    """One mutation of a text; always text, since the layer outside has judged the bytes."""
    at = draw.randrange(len(text))
    match draw.randrange(9):
        case 0:
            return (
                text[:at] + chr(draw.choice((0, 1, 34, 92, 0x7F, 0xFFFD, 0x1F4A7))) + text[at + 1 :]
            )
        case 1:
            return text[:at]
        case 2:
            return text[:at] + text[at : at + 40] * draw.randrange(2, 200) + text[at:]
        case 3:
            return text[:at] + other[draw.randrange(len(other)) :]
        case 4:
            end = min(len(text), at + draw.randrange(1, 20))
            return text[:at] + text[end:]
        case 5 | 6:
            colon = text.find(":", at)
            ends = [place for place in (text.find(",", colon), text.find("}", colon)) if place > 0]
            if colon < 0 or not ends:
                return text + draw.choice(HOSTILE)
            return text[: colon + 1] + draw.choice(HOSTILE) + text[min(ends) :]
        case 7:
            tags = ",".join(f'"T{n}":{n}' for n in range(draw.choice((5, MAX_TAGS, MAX_TAGS + 9))))
            return text.replace('"values":{', f'"values":{{{tags},', 1)
        case _:
            return text.replace('"values":{', f'"values":{{"":1,"a\\u0000b":2,"{"n" * 300}":3,', 1)


def storable(envelope: Envelope) -> bool:
    """Whether PostgreSQL could take it."""
    texts = [envelope.asset_id, envelope.record_id, *envelope.values, *envelope.rejected]
    texts += [each for each in (envelope.quality, envelope.alarm, envelope.domain) if each]
    texts += [each for each in envelope.values.values() if isinstance(each, str)]
    numbers = [each for each in envelope.values.values() if isinstance(each, float | int)]
    return (
        all("\0" not in each for each in texts)
        and all(each.encode() is not None for each in texts)
        and all(math.isfinite(each) for each in numbers)
        and -62_135_596_800_000_000 <= envelope.occurred_us <= 253_402_300_799_999_999
        and json.loads(envelope.frame) is not None
    )


def main() -> int:
    """Fuzz, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=20_261_126)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    plant = Plant()
    plant.begin(1_781_487_000, warm_up=())
    plant.read(at_ns=1_781_487_000 * 10**9, tick=1)
    texts = [plant.envelope(at) for at in range(557)]
    found: Counter[str] = Counter()
    crashes: list[str] = []
    spent = 0.0
    for number in range(arguments.number):
        at = draw.randrange(557)
        text = damaged(texts[at], draw.choice(texts), draw)
        serial = serial_of_key(f"ic3:latest:{plant.serials[at]}")
        began = time.perf_counter()
        try:
            envelope = parse(serial, text, received_us=0, content_hash=content_hash_of(text))
            spent += time.perf_counter() - began
            found.update(envelope.rejected.values())
            found["taken" if storable(envelope) else "unstorable"] += 1
        except EnvelopeRejected as error:
            spent += time.perf_counter() - began
            found[error.reason] += 1
        except Exception as error:  # noqa: BLE001  that is what is looked for
            crashes.append(f"{type(error).__name__}: {text[:200]!r}")
            if len(crashes) > 20:
                break
        if number % 100_000 == 99_999:
            print(f"fuzz: {number + 1:,}", file=sys.stderr, flush=True)
    bad = len(crashes) + found["unstorable"] + found[Reject.UNCLASSIFIED]
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), "seed": arguments.seed, "envelopes": arguments.number,
        "crashes": crashes, "mean_us": round(1e6 * spent / arguments.number, 1),
        "unclassified": found[Reject.UNCLASSIFIED], "unstorable": found["unstorable"],
        "outcomes": {str(name): count for name, count in found.most_common()},
    }  # fmt: skip
    (RESULTS / "fuzz.json").write_text(json.dumps(told, indent=2) + "\n")
    page = table(told)
    (RESULTS / "fuzz.md").write_text(page)
    print(page)
    return 1 if bad else 0


def table(told: dict[str, Any]) -> str:
    """The result as a page. A text can lose several tags, so outcomes add up to more."""
    rows = {
        "envelopes": told["envelopes"], "crashes": len(told["crashes"]),
        "unclassified": told["unclassified"], "unstorable": told["unstorable"],
        "mean, us": told["mean_us"], **told["outcomes"],
    }  # fmt: skip
    lines = "\n".join(f"| {name} | {number:,} |" for name, number in rows.items())
    return (
        f"# A million damaged envelopes\n\nOf {told['at']}, seed {told['seed']}. An envelope that"
        f" is taken can still lose tags.\n\n| what | number |\n|---|---|\n{lines}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
