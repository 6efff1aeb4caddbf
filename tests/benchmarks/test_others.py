"""Scaling and inference: what is divided by what."""

import inference
import pytest
import scaling


def test_scaling_divides_by_the_base():
    """Twice the time per image and step at 56 steps is 2.00; memory and times are medians."""

    def result(micro):
        return dict.fromkeys(("step_ms", "trace_seconds", "step_mib", "peak_mib"), 1) | {
            "microseconds": micro
        }

    results = {point: [result(9)] for point in scaling.along("time_steps")}
    results[scaling.BASE] = [result(micro) for micro in (3, 1, 100)]
    results[scaling.BASE._replace(time_steps=56)] = [result(micro) for micro in (6, 6, 500)]
    lines = scaling.make_table(["time_steps"], results).splitlines()
    assert lines[2].startswith("| time_steps | 28 | 1.00 | 3.00 | 84.0 |")
    assert lines[3].startswith("| time_steps | 56 | 2.00 | 6.00 | 336.0 |")


def test_every_axis_passes_through_the_base():
    """So that the base is measured once for all."""
    assert all(scaling.BASE in scaling.along(axis) for axis in scaling.AXES)


def test_inference_takes_each_figure_from_its_own_best_mode():
    """One thread may be best for one image, two for a thousand."""
    results = {
        ("ours", "", False): [{"latency_ms": 4, "images_per_second": 10, "logits": [[1.0]]}],
        ("torch", "1", False): [{"latency_ms": 1, "images_per_second": 5, "logits": [[1.0]]}],
        ("torch", "2", True): [{"latency_ms": 2, "images_per_second": 20, "logits": [[1.0]]}],
    }
    best = inference.best_figures(results)
    table = inference.make_table(["ours", "torch"], best)
    assert table.splitlines()[3] == "| torch | 0.25 | 2.00 | 1.000 | 20 |"


def test_peers_that_compute_something_else_are_an_error():
    """A fast wrong answer is not compared."""
    one = {"latency_ms": 4, "images_per_second": 10, "logits": [[1.0]]}
    results = {("ours", "", False): [one], ("torch", "1", False): [{**one, "logits": [[1.1]]}]}
    with pytest.raises(ValueError, match="logits differ by 1"):
        inference.report(["ours", "torch"], results)
