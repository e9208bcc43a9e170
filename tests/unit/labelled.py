"""Where the labelled data lie that are not part of the project; tests skip without them."""

import os
from pathlib import Path

import pytest

SIBLING = Path(__file__).resolve().parents[3] / "shared" / "eval"
FOLDER = Path(os.environ.get("IC3_EVAL_DATA", SIBLING))


def folder(name: str) -> Path:
    """A set's folder, or a skip that says what is missing."""
    if not (FOLDER / name).is_dir():
        pytest.skip(f"no labelled data in {FOLDER / name}; set IC3_EVAL_DATA")
    return FOLDER / name
