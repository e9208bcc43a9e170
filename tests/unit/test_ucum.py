"""Unit codes: what a water utility measures in is taken, what looks like it is refused."""

import pytest

from ic3.domain.ucum import unit_code

GOOD = [
    "m3/h", "L/s", "m", "bar", "kPa", "mg/L", "{NTU}", "[pH]", "uS/cm", "kW.h", "kW.h/m3", "V.A",
    "%", "Cel", "10*3.m3", "mm/s", "m[H2O]", "cm[H2O]", "/min", "{rev}/min", "V.A{reactive}",
    "(m3/h)/km", "Hz", "deg", "[ppm]", "m3{gross}/d", "kW.h/(m3.d)", "mL", "1",
]  # fmt: skip
BAD = [
    "", "m³/h", "NTU", "[NTU]", "m3//h", "m3/", "kmh", "m 3", "(m", "m)", "VA", "°C", "C", "kg.",
    "mmH2O", "m\0", "m3/hr", "10*", "m[", "2.[", "]", "x" * 51, "=1+1", "m\u202e", "<b>", "{°}",
]  # fmt: skip


@pytest.mark.parametrize("code", GOOD)
def test_codes_of_the_trade_are_taken_as_they_are(code: str) -> None:
    assert unit_code(code) == code


@pytest.mark.parametrize("code", BAD)
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is no UCUM code"):
        unit_code(code)


def test_a_usual_mistake_is_told_the_right_code() -> None:
    with pytest.raises(ValueError, match=r"write Cel for C$"):
        unit_code("C")
