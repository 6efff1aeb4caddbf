"""The answers about `outputs[:, -1]` and the final state, as tables, JSON and a picture."""

import json

from rnn_mnist_tf.training.files import replacing

_HEADER = ("cell", "final state", "parts equal to outputs[:, -1]", "verdict", "Keras, same weights")


def format_answers(answers, form):
    """Returns answers as text.

    Args:
        answers: a list of dicts as `rnn_mnist_tf.semantics.run` makes them.
        form: `table`, `markdown` or `json`.
    """
    if form == "json":
        return json.dumps(answers, indent=2)
    rows = [_HEADER, *map(_row, answers)]
    if form == "markdown":
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * len(_HEADER))
        return "\n".join(lines)
    return "\n".join(_format_block(answer) for answer in answers)


def _row(answer):
    keras = answer["keras"]
    beside = "-"
    if keras:
        worst = max(difference for _, difference in keras["state_differences"])
        beside = (
            f"{', '.join(keras['same_parts'])} equal; outputs within "
            f"{keras['outputs_difference']:.1e}, states within {worst:.1e}"
        )
    parts = ", ".join(f"`{path}`" for path in answer["same_parts"]) or "none"
    return (answer["name"], f"`{answer['structure']}`", parts, answer["verdict"], beside)


def _format_block(answer):
    lines = [
        f"{'ok  ' if answer['ok'] else 'FAIL'} {answer['name']}",
        f"     state    {answer['structure']}",
        f"     verdict  {answer['verdict']}",
    ]
    for part in answer["parts"]:
        if part["difference"] is None:
            relation = f"has another shape, {tuple(part['shape'])}"
        elif part["same"]:
            relation = "equals outputs[:, -1]"
        else:
            relation = f"differs from outputs[:, -1] by up to {part['difference']:.4f}"
        lines.append(f"     {part['path']:<28} {relation}")
    keras = answer["keras"]
    if keras:
        lines.append(f"     Keras    {keras['structure']}")
        lines.append(
            f"     Keras    equal to its own outputs[:, -1]: {', '.join(keras['same_parts'])}"
        )
        differences = ", ".join(f"{path} {value:.1e}" for path, value in keras["state_differences"])
        lines.append(
            f"     between  outputs {keras['outputs_difference']:.1e}, {differences} "
            "(after [h, c] is mapped to (c, h))"
        )
    return "\n".join(lines)


def save_diagrams(path, answers):
    """Draws the four cases of the article from the answers of a run.

    Each cell of the picture is one layer at one step; the outputs are above it and the final
    states to its right, green where the run found them equal to the last output.

    Args:
        path: a PNG file.
        answers: the four answers to draw.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, answer in zip(figure.subplots(2, 2).flat, answers):
        _draw(axes, answer)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _draw(axes, answer):
    layers, steps = answer["layers"], ("0", "1", "...", "T-1")
    box = {"boxstyle": "round,pad=0.4", "linewidth": 1.2}
    for layer in range(layers):
        for step, label in enumerate(steps):
            text = "..." if label == "..." else answer["kind"]
            _box(axes, step, layer, text, {**box, "facecolor": "white"})
            if step:
                _arrow(axes, (step - 0.72, layer), (step - 0.28, layer))
            _arrow(axes, (step, layer + 0.22), (step, layer + 0.78))
    for step, label in enumerate(steps):
        last = label == "T-1"
        color = "lightgreen" if last else "whitesmoke"
        _box(
            axes,
            step,
            layers,
            f"outputs\n[:, {label}]" if label != "..." else "...",
            {**box, "facecolor": color},
        )
        axes.text(step, -0.75, f"x[{label}]" if label != "..." else "...", ha="center", va="center")
        _arrow(axes, (step, -0.6), (step, -0.25))
    leaves_of_layer = len(answer["parts"]) // layers
    for index, part in enumerate(answer["parts"]):
        layer, leaf = divmod(index, leaves_of_layer)
        height = layer + (0.22 - 0.44 * leaf if leaves_of_layer > 1 else 0)
        color = "lightgreen" if part["same"] else "lightsalmon"
        text = (
            part["path"] if part["same"] else f"{part['path']}  (off by {part['difference']:.2f})"
        )
        axes.text(
            len(steps) - 0.15,
            height,
            text,
            ha="left",
            va="center",
            bbox={**box, "facecolor": color},
        )
        _arrow(axes, (len(steps) - 0.72, layer), (len(steps) - 0.3, height))
    axes.set_title(f"{answer['name']}: {answer['verdict']}", fontsize=10)
    axes.set_xlim(-0.6, len(steps) + 1.6)
    axes.set_ylim(-1, layers + 0.6)
    axes.axis("off")


def _box(axes, x, y, text, box):
    axes.text(x, y, text, ha="center", va="center", bbox=box, fontsize=9)


def _arrow(axes, begin, end):
    axes.annotate("", end, begin, arrowprops={"arrowstyle": "->"})
