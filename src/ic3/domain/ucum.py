"""Unit codes of UCUM: the syntax, with the atoms a water utility measures in.

The whole standard has some 300 atoms. A code is refused when it holds another one than these: a
mistyped unit is likelier than a curie.

Source:
    The Unified Code for Units of Measure, version 2.1, case-sensitive form.
"""

import re
from typing import Final

MAX_LENGTH: Final = 50
_PREFIXES: Final = frozenset([
    "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a",
    "z", "y",
])  # fmt: skip
# Those that take a prefix.
_METRIC: Final = frozenset([
    "m", "g", "s", "L", "l", "A", "V", "W", "Hz", "Pa", "bar", "J", "N", "K", "Cel", "mol", "S",
    "Ohm", "F", "t", "eq", "eV", "T", "Wb", "H", "lm", "lx", "m[H2O]", "m[Hg]", "[CFU]", "[IU]",
    "mho",
])  # fmt: skip
_OTHERS: Final = frozenset([
    "%", "[ppth]", "[ppm]", "[ppb]", "[pptr]", "min", "h", "d", "wk", "mo", "a", "deg", "'", "''",
    "rad", "sr", "[pH]", "[degF]", "[degRe]", "[in_i]", "[ft_i]", "[yd_i]", "[mi_i]", "[psi]",
    "[gal_us]", "[gal_br]", "[HP]", "[cft_i]", "[acr_us]", "har", "ar", "atm", "u",
])  # fmt: skip
# Written so by many, though not of the standard; what is to be written instead.
INSTEAD: Final = {
    "[NTU]": "{NTU}", "[FTU]": "{FTU}", "VA": "V.A", "var": "V.A{reactive}",
    "kVA": "kV.A", "kvar": "kV.A{reactive}", "hr": "h", "C": "Cel",
}  # fmt: skip
_UNIT = re.compile(
    r"([^\s.()/{}\[\]0-9+^*-]*(?:\[[^\]\[{}\s]*\])?'{0,2})([+-]?\d{1,3})?(\{[!-z|~]*\})?"
)
_FACTOR = re.compile(r"10[*^][+-]?\d{1,3}|\d{1,9}")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")


def unit_code(code: str) -> str:
    """The code, if it is one.

    Raises:
        ValueError: It is not; the text says why and quotes the part that is wrong.
    """
    if not code or len(code) > MAX_LENGTH or not code.isascii() or not code.isprintable():
        raise ValueError(f"is no UCUM code: 1 to {MAX_LENGTH} ASCII characters without blanks")
    at, depth, wants_unit = 0, 0, True
    if code.startswith("/"):
        at = 1
    while at < len(code):
        sign = code[at]
        if wants_unit and sign == "(":
            depth, at = depth + 1, at + 1
        elif wants_unit:
            at, wants_unit = _component(code, at), False
        elif sign == ")" and depth:
            depth, at = depth - 1, at + 1
        elif sign in "./":
            at, wants_unit = at + 1, True
        else:
            raise ValueError(f"is no UCUM code: unexpected {sign!r}")
    if wants_unit or depth:
        raise ValueError("is no UCUM code: it ends too early")
    return code


def _component(code: str, at: int) -> int:
    """Where the unit, number or annotation that begins here ends."""
    for pattern in (_ANNOTATION, _FACTOR):
        if found := pattern.match(code, at):
            return found.end()
    found = _UNIT.match(code, at)
    atom = found[1] if found else ""
    if not atom or found is None:
        raise ValueError(f"is no UCUM code: unexpected {code[at]!r}")
    if atom in INSTEAD:
        raise ValueError(f"is no UCUM code: write {INSTEAD[atom]} for {atom}")
    if not _is_unit(atom):
        raise ValueError(f"is no UCUM code of a water utility: {atom[:20]!r}")
    return found.end()


def _is_unit(atom: str) -> bool:
    if atom in _METRIC or atom in _OTHERS:
        return True
    return any(
        atom.startswith(prefix) and atom[len(prefix) :] in _METRIC for prefix in _PREFIXES
    )  # fmt: skip
