"""Modes are chosen for each model, and the table does not depend on an order."""

import argparse

import processes
import pytest
import throughput
from peers import Configuration
from throughput import PEERS, best_modes, make_table, supported, trials


def make(*texts):
    """Configurations of `cell:layers:batch`."""
    return [Configuration.parse(text) for text in texts]


def test_each_model_has_its_own_best_mode():
    """One thread may be best for one model, two for another."""
    one, two = make("gru:1:64", "gru:2:64")
    rates = {"1": {one: 5, two: 3}, "2": {one: 4, two: 9}}
    assert best_modes(rates, [one, two]) == {one: "1", two: "2"}


def test_batches_that_were_not_tried_take_the_choice_of_the_same_model():
    """Not that of another number of layers."""
    one, two, large_one, large_two = make("gru:1:64", "gru:2:64", "gru:1:512", "gru:2:512")
    rates = {"loop": {one: 5, two: 3}, "jit": {one: 4, two: 9}}
    chosen = best_modes(rates, [one, large_one, two, large_two])
    assert chosen == {one: "loop", large_one: "loop", two: "jit", large_two: "jit"}


def test_keras_is_tried_at_the_smallest_batch_and_pytorch_at_each():
    """Compiling is slow; threads are not."""
    small, large = make("gru:1:64", "gru:1:512")
    assert trials("keras_fit", [large, small]) == [small]
    assert trials("torch_tuned", [large, small]) == [large, small]
    assert trials("ours", [large, small]) == []


def test_peers_without_peepholes_have_no_such_model():
    """PyTorch's and Keras's layers have none; TensorFlow 1's graph does."""
    peepholes = make("lstm:1:64")
    with_peepholes = {name for name in PEERS if supported(name, peepholes)}
    assert with_peepholes == {"ours", "tf1_graph", "products_alone"}


@pytest.mark.parametrize("names", [["ours", "torch_tuned"], ["torch_tuned", "ours"]])
def test_ratios_are_of_ours_wherever_it_stands(names):
    """Medians over the rounds: 4 of ours and 8 of the other give 0.50."""
    configurations = make("gru:2:64", "lstm:1:64")
    gru, lstm = configurations
    rounds = [
        {"ours": {gru: ours, lstm: 7}, "torch_tuned": {gru: theirs}}
        for ours, theirs in ((4, 8), (1, 80), (400, 1))
    ]
    lines = make_table(names, configurations, rounds).splitlines()
    cells = [dict(zip(lines[0].split(" | "), line.split(" | "))) for line in lines[2:]]
    assert cells[0]["ours / torch_tuned"] == "0.50"
    assert cells[1]["ours / torch_tuned"] == "-"
    assert len(lines[0].split(" | ")) == len(lines[2].split(" | ")) == 5


def test_without_ours_there_are_rates_only():
    """There is nothing to divide."""
    (gru,) = make("gru:2:64")
    text = make_table(["tf1_graph", "keras_fit"], [gru], [{"tf1_graph": {gru: 3}, "keras_fit": {}}])
    assert text.splitlines()[0] == "| model | batch | tf1_graph | keras_fit |"
    assert text.splitlines()[2] == "| 2 x gru | 64 | 3 | - |"


def test_rounds_run_the_chosen_modes_only(monkeypatch):
    """After the trial, each process gets the models whose best mode it is."""
    one, two = configurations = make("gru:1:64", "gru:2:64")
    started = []

    def run_process(program, command, tuned):
        mode = command[1].removeprefix("--mode=")
        texts = command[3].removeprefix("--configurations=").split(",")
        started.append((mode, texts))
        return {text: 10 if (text == str(one)) == (mode == "a") else 1 for text in texts}

    monkeypatch.setattr(throughput, "run_process", run_process)
    monkeypatch.setitem(throughput.PEERS, "torch_tuned", throughput.Peer("torch", ("a", "b")))
    arguments = argparse.Namespace(rounds=2, seconds=1)
    record = processes.Record(None, {})
    chosen, rounds = throughput.run(record, ["torch_tuned"], configurations, arguments)
    assert chosen["torch_tuned"] == {one: "a", two: "b"}
    both, each = [str(one), str(two)], [("a", [str(one)]), ("b", [str(two)])]
    assert started == [("a", both), ("b", both), *each, *each]
    assert rounds == [{"torch_tuned": {one: 10, two: 10}}] * 2
