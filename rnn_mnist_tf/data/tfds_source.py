"""Image classification data sets of TensorFlow Datasets, by name."""

import contextlib
import http.client
import os
import threading
import urllib.error
import urllib.request

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.data.resize import resize_image
from rnn_mnist_tf.errors import InputError, one_line

_PROBE_SECONDS = 8
_WITHOUT_NETWORK = (
    "Use --dataset=mnist5k, which needs no network, or --dataset=idx --data_dir=DIR with IDX files."
)


def load_tfds(name, tfds_dir=None, image_size=None):
    """Loads the training and the test part of a TFDS data set into memory.

    Args:
        name: `mnist5k` or any name of TFDS with `image` and `label` features.
        tfds_dir: where data sets are kept; TFDS's own default, `~/tensorflow_datasets`, if None.
        image_size: None or `(height, width)` that every image is resized to (bilinear).

    Returns:
        `(arrays, class_names)`: a dict like `read_idx_directory`'s, images uint8
        `[count, height, width]` or `[count, height, width, 3]`, labels int64.

    Raises:
        InputError: an unknown name; no network to fetch it; not for image classification; images of
            several sizes and no `image_size`.
    """
    tfds = _import_tfds()
    builder = _make_builder(tfds, name, tfds_dir)
    features = builder.info.features
    if not _is_image_classification(tfds, features):
        raise InputError(
            f"Received dataset={name!r} with the features {sorted(features)}, expected an image "
            "classification data set: one with 'image' and a class 'label'."
        )
    shape = features["image"].shape
    if image_size is None and None in shape[:2]:
        raise InputError(
            f"Received dataset={name!r}, whose images vary in size, expected --image_size: "
            "pass for example --image_size=64."
        )
    builder = _prepare(tfds, builder, name, tfds_dir)
    test_split = "test" if "test" in builder.info.splits else "validation"
    if not {"train", test_split} <= set(builder.info.splits):
        raise InputError(
            f"Received dataset={name!r} with the splits {sorted(builder.info.splits)}, expected "
            "'train' and 'test' or 'validation'."
        )
    arrays = {}
    for part, split in (("train", "train"), ("test", test_split)):
        images, labels = _read_split(tfds, builder, split, image_size)
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = images, labels
    return arrays, list(features["label"].names)


def _import_tfds():
    os.environ.setdefault("TFDS_DISABLE_ANALYTICS", "1")
    import tensorflow_datasets as tfds

    from rnn_mnist_tf.data import mnist5k  # noqa: F401  registers the data set

    tfds.disable_progress_bar()
    return tfds


def _make_builder(tfds, name, tfds_dir):
    known = tfds.list_builders(with_community_datasets=False)
    if name.split("/")[0].split(":")[0] not in known:
        raise InputError(
            f"Received dataset={name!r}, expected mnist5k, idx or the name of a TFDS data set "
            "(mnist, fashion_mnist, kmnist, cifar10, ...)."
        )
    try:
        return tfds.builder(name, data_dir=tfds_dir, try_gcs=False)
    except Exception as error:  # of its many parts, a damaged file's among them
        raise InputError(f"Received dataset={name!r}: {_short(error)}") from error


def _is_image_classification(tfds, features):
    return (
        isinstance(features, tfds.features.FeaturesDict)
        and {"image", "label"} <= set(features)
        and isinstance(features["image"], tfds.features.Image)
        and isinstance(features["label"], tfds.features.ClassLabel)
    )


def _prepare(tfds, builder, name, tfds_dir):
    """Returns a builder whose data set is on disk."""
    if builder.is_prepared():
        return builder
    _check_network(builder, name)
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
            builder.download_and_prepare(download_config=config)
    except Exception as error:  # TFDS raises what its many parts raise
        again = _make_builder(tfds, name, tfds_dir)
        if again.is_prepared():  # another process was faster
            return again
        advice = _WITHOUT_NETWORK if builder.url_infos else "Choose another --tfds_dir."
        raise InputError(
            f"Received dataset={name!r}, which could not be prepared under {builder.data_dir}: "
            f"{_short(error)}. {advice}"
        ) from error
    return builder


def _check_network(builder, name):
    """Asks for one of the data set's addresses: TFDS itself would retry for minutes."""
    addresses = list(builder.url_infos or ())
    if not addresses:
        return
    answers = []
    # A thread, because no time limit of a socket covers the name look-up.
    probe = threading.Thread(target=lambda: answers.append(_probe(addresses[0])), daemon=True)
    probe.start()
    probe.join(_PROBE_SECONDS)
    failure = answers[0] if answers else f"no answer within {_PROBE_SECONDS} s"
    if failure:
        raise InputError(
            f"Received dataset={name!r}, which is not prepared under {builder.data_dir} and cannot "
            f"be fetched ({failure}). {_WITHOUT_NETWORK}"
        )


def _probe(address):
    """Returns why an address gives no answer, or None."""
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return None  # an answer, if not to HEAD: let TFDS try
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)
    return None


def _short(error):
    """An error's kind and reason, of what may be pages."""
    return f"{type(error).__name__}: {one_line(error)[:200]}"


def _read_split(tfds, builder, split, image_size):
    dataset = builder.as_dataset(split=split, shuffle_files=False)
    if image_size is not None:
        dataset = dataset.map(
            lambda example: {**example, "image": resize_image(example["image"], image_size)},
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    try:
        examples = [(e["image"], e["label"]) for e in tfds.as_numpy(dataset)]
    except tf.errors.ResourceExhaustedError:  # no fault of the files
        raise
    except tf.errors.OpError as error:
        raise InputError(
            f"Received a data set under {builder.data_dir} that is damaged ({_short(error)}). "
            "Delete that directory; the next start prepares it anew."
        ) from error
    images = np.stack([image for image, _ in examples])
    labels = np.array([label for _, label in examples], np.int64)
    return images[..., 0] if images.shape[-1] == 1 else images, labels
