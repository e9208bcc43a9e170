from ic3.domain.mapping import Parameter
from ic3.domain.suggestions import category_of, near_parameters, near_serials

PARAMETERS = [
    Parameter(1, "Health score", "HEALTH_SCORE", "%"),
    Parameter(2, "Flow", "PUMP_FLOW", "m3/h"),
    Parameter(3, "Residual chlorine", "CL2_RES", "mg/L"),
]


def test_the_same_code_comes_first_and_case_and_separators_do_not_count() -> None:
    found = near_parameters("pump-flow", PARAMETERS)
    assert [(each.param_id, each.likeness) for each in found] == [(2, 1.0)]


def test_a_code_misspelt_is_near_and_one_of_another_thing_is_not() -> None:
    assert [each.param_id for each in near_parameters("HEALTH_SCOR", PARAMETERS)] == [1]
    assert near_parameters("VIB_DE", PARAMETERS) == []


def test_a_serial_number_with_other_blanks_is_the_same() -> None:
    known = ["Patel Road_Baljeet Nagar_SV_92", "Patel Road_Baljeet Nagar_SV_93", "Other_Pump_1"]
    found = near_serials("patel_road_baljeet  nagar_sv_92", known)
    assert [each.serial for each in found] == known[:2]
    assert found[0].likeness == 1.0
    assert found[1].likeness < 1.0


def test_the_suffix_tells_the_category() -> None:
    known = {"A_SV_1": "sluice valve", "B_SV_2": "sluice valve", "C_LT Panel_3": "LT panel"}
    assert category_of("Z Block_LT Panel_19", known) == "LT panel"
    assert category_of("Z_SV_9", known) == "sluice valve"
    assert category_of("Z_Meter_9", known) is None
    assert category_of("nonsense", known) is None
