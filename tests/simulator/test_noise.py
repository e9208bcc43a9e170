import numpy as np

from ic3.simulator import noise


def test_stream_depends_on_its_name_alone() -> None:
    few, many = noise.keys(1, ["b"]), noise.keys(1, ["a", "b", "c"])
    assert noise.normal(few, 7)[0] == noise.normal(many, 7)[1]
    assert noise.normal(noise.keys(2, ["b"]), 7)[0] != noise.normal(few, 7)[0]


def test_normal_has_mean_0_and_deviation_1() -> None:
    drawn = noise.normal(noise.keys(1, map(str, range(20_000))), 3)
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03
    next_one = noise.normal(noise.keys(1, map(str, range(20_000))), 4)
    assert abs(np.corrcoef(drawn, next_one)[0, 1]) < 0.03


def test_wander_is_continuous_and_needs_no_history() -> None:
    streams = noise.keys(1, map(str, range(500)))
    walked, jumped = noise.Wander(streams, 600), noise.Wander(streams, 600)
    path = np.array([walked.at(at_s) for at_s in range(0, 6000, 5)])
    assert np.abs(np.diff(path, axis=0)).max() < 0.2
    assert (jumped.at(5995) == path[-1]).all()
    assert abs(path.std() - 1) < 0.1
