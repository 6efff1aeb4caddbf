"""The predict door: an answer for each file, whatever is wrong with the others."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from rnn_mnist_tf import predict
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.images.fit import fit_image, read_image
from rnn_mnist_tf.training.workdir import load_model
from tests.doors import assert_refused, finish
from tests.test_evaluate import change_config


@pytest.fixture(scope="module")
def drawings(tmp_path_factory, mnist5k):
    """A directory of 50 real digits as PNG files, light on dark and dark on light in turn."""
    directory = tmp_path_factory.mktemp("drawings")
    for index, digit in enumerate(mnist5k.test_images[:50]):
        pixels = 255 - digit if index % 2 else digit
        Image.fromarray(pixels).save(directory / f"{index:02}.png")
    return directory


@pytest.fixture(scope="module")
def expected(trained, mnist5k):
    """The probabilities that the model itself gives to the same digits, fitted."""
    fitted = [fit_image(Image.fromarray(digit), (28, 28)) for digit in mnist5k.test_images[:50]]
    logits = np.asarray(load_model(trained)[0](np.stack(fitted)), np.float64)
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def assert_is(prediction, probabilities):
    """The answer is the most likely class and the second, with their probabilities."""
    second, first = np.argsort(probabilities)[-2:]
    assert prediction.error is None
    assert (prediction.label, prediction.runner_up) == (str(first), str(second))
    assert prediction.probability == pytest.approx(probabilities[first], abs=1e-4)
    assert prediction.runner_up_probability == pytest.approx(probabilities[second], abs=1e-4)


def test_fifty_real_digits(trained, drawings, expected):
    """Files give what the model gives on the arrays, in the order of their names."""
    predictions = predict.run(trained, [drawings])
    assert [p.path for p in predictions] == [str(drawings / f"{i:02}.png") for i in range(50)]
    for prediction, probabilities in zip(predictions, expected, strict=True):
        assert_is(prediction, probabilities)
    assert len({p.label for p in predictions}) > 2


def test_the_door_prints_a_line_a_file(call, trained, drawings, expected):
    """Path, label, probability, runner-up: files first, then the directory."""
    files = [drawings / "07.png", drawings / "03.png"]
    answer = call("predict", f"--workdir={trained}", *files, drawings)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert len(lines) == 52
    for line, index in zip(lines, [7, 3, *range(50)], strict=True):
        pattern = r"(.+): (\d) \((\d\.\d{4})\), then (\d) \((\d\.\d{4})\)"
        path, label, probability, runner_up, second = re.fullmatch(pattern, line).groups()
        assert path == str(drawings / f"{index:02}.png")
        order = np.argsort(expected[index])
        assert (int(label), int(runner_up)) == (order[-1], order[-2])
        assert float(probability) == pytest.approx(expected[index].max(), abs=2e-4)
        assert float(second) == pytest.approx(expected[index][order[-2]], abs=2e-4)


def test_other_kinds_of_files(trained, drawings, tmp_path):
    """JPEG and BMP, enlarged and in colour, are answered alike."""
    with Image.open(drawings / "01.png") as image:
        large = image.convert("RGB").resize((280, 280))
    paths = [tmp_path / name for name in ("a.jpg", "b.bmp", "c.jpeg")]
    for path in paths:
        large.save(path)
    model, _ = load_model(trained)
    for path, prediction in zip(paths, predict.run(trained, paths), strict=True):
        logits = np.asarray(model(fit_image(read_image(path), (28, 28))[None]), np.float64)[0]
        assert_is(prediction, np.exp(logits) / np.exp(logits).sum())


@pytest.fixture
def broken(tmp_path, drawings):
    """A directory with a good file between broken ones."""
    good = (drawings / "05.png").read_bytes()
    (tmp_path / "a-empty.png").touch()
    (tmp_path / "b-good.png").write_bytes(good)
    (tmp_path / "c-truncated.png").write_bytes(good[:-60])
    (tmp_path / "d-text.png").write_text("not an image")
    Image.new("L", (28, 28), 255).save(tmp_path / "e-blank.png")
    (tmp_path / "f-good.png").write_bytes(good)
    return tmp_path


def test_broken_files_do_not_stop_the_rest(call, trained, broken):
    """Each broken file is one line of error, the others get their answers, the code is 1."""
    answer = call("predict", f"--workdir={trained}", broken, broken / "none.png")
    assert answer.code == 1
    assert [line.split(":")[0] for line in answer.out.splitlines()] == [
        str(broken / "b-good.png"),
        str(broken / "f-good.png"),
    ]
    errors = answer.err.splitlines()
    names = ["a-empty.png", "c-truncated.png", "d-text.png", "e-blank.png", "none.png"]
    assert len(errors) == len(names)
    for line, name in zip(errors, names, strict=True):
        assert line.startswith("predict: error: ")
        assert str(broken / name) in line


def test_nothing_but_broken_files(call, trained, broken):
    """No answer, one line each, exit code 1."""
    answer = call("predict", f"--workdir={trained}", broken / "a-empty.png")
    assert_refused(answer, 1, "predict: error: ", str(broken / "a-empty.png"), "empty")


def test_a_drawing_that_vanishes_does_not_stop_the_rest(call, trained, drawings, tmp_path):
    """Two specks on a large page cannot cost the others their answers."""
    specks = Image.new("L", (2000, 2000), 255)
    specks.putpixel((100, 100), 0)
    specks.putpixel((1800, 1900), 0)
    specks.save(tmp_path / "specks.png")
    answer = call("predict", f"--workdir={trained}", tmp_path / "specks.png", drawings / "03.png")
    assert str(drawings / "03.png") in answer.out
    assert len(answer.out.splitlines()) + len(answer.err.splitlines()) == 2


def test_a_name_of_two_lines_is_one_line(call, trained, tmp_path):
    """Whatever a file is called, its error is one line."""
    (tmp_path / "two\nlines  .png").touch()
    answer = call("predict", f"--workdir={trained}", tmp_path / "two\nlines  .png")
    assert_refused(answer, 1, "empty")


def test_the_program_answers_and_complains(start, trained, broken):
    """As a program: answers on stdout, one line an error on stderr, and no more."""
    program = start(
        "predict", f"--workdir={trained}", broken / "a-empty.png", broken / "b-good.png"
    )
    answer = finish(program)
    assert answer.code == 1
    assert len(answer.out.splitlines()) == 1
    assert len(answer.err.splitlines()) == 1, answer.err
    assert str(broken / "a-empty.png") in answer.err


def test_invert(trained, drawings):
    """Who says how a drawing is drawn is believed: the wrong way round there is no drawing."""
    dark_on_light, light_on_dark = drawings / "01.png", drawings / "02.png"
    for path, invert in ((dark_on_light, "yes"), (light_on_dark, "no")):
        assert predict.run(trained, [path], invert=invert) == predict.run(trained, [path])
    (wrong,) = predict.run(trained, [dark_on_light], invert="no")
    assert wrong.label is None
    assert "no drawing" in wrong.error


@pytest.mark.parametrize(("dataset", "digit"), [("idx", True), ("mnist", True), ("kmnist", False)])
def test_fit_is_for_models_of_digits(workdir, drawings, dataset, digit):
    """Models of MNIST get digits as MNIST was made, others the whole image; flags can say so."""
    change_config(workdir, dataset=dataset)
    path = drawings / "02.png"
    results = {fit: predict.run(workdir, [path], fit=fit)[0] for fit in ("auto", "digit", "whole")}
    assert results["auto"] == results["digit" if digit else "whole"]
    assert results["digit"].probability != results["whole"].probability


def test_a_model_of_colour_images_has_no_digits(workdir, drawings):
    """Cropping and centring are for drawings in gray."""
    path = workdir / "config.json"
    values = json.loads(path.read_text())
    values["image_shape"] = [28, 28, 3]
    values["config"]["grayscale"] = "article"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match="--fit=whole"):
        predict.run(workdir, [drawings / "01.png"], fit="digit")


def test_no_files(call, trained, tmp_path):
    """Neither an empty command nor an empty directory is a success."""
    assert_refused(call("predict", f"--workdir={trained}"), 1, "FILE")
    assert_refused(call("predict", f"--workdir={trained}", tmp_path), 1, str(tmp_path))
    with pytest.raises(InputError):
        predict.run(trained, [])


@pytest.mark.parametrize("flag", ["--invert=perhaps", "--fit=stretch"])
def test_wrong_choices(call, trained, flag):
    """A value that is no choice is a wrong flag."""
    assert_refused(call("predict", f"--workdir={trained}", flag, "a.png"), 2, flag.split("=")[1])


def test_wrong_workdir(call, workdir, drawings):
    """No run, or one whose weights were changed, is one line."""
    answer = call("predict", f"--workdir={workdir / 'none'}", drawings / "01.png")
    assert_refused(answer, 1, str(workdir / "none"))
    (workdir / "model.weights.h5").write_bytes(b"changed")
    answer = call("predict", f"--workdir={workdir}", drawings / "01.png")
    assert_refused(answer, 1, "sha256")


def test_a_pretrained_model(call, shipped, trained, drawings):
    """By its name it answers as the run that it was."""
    files = [drawings / "04.png", drawings / "05.png"]
    by_name = call("predict", "--pretrained=small", *files)
    assert (by_name.code, by_name.err) == (0, "")
    assert by_name == call("predict", f"--workdir={trained}", *files)
    assert len(by_name.out.splitlines()) == 2
