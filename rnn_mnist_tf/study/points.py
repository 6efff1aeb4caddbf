"""One point of a study: its run, its analyses, and the file that each number comes from."""

import dataclasses
import datetime
import json
import pathlib
import time

from rnn_mnist_tf.data import load_dataset
from rnn_mnist_tf.errors import InputError, one_line
from rnn_mnist_tf.study.children import Ending
from rnn_mnist_tf.study.machine import describe_machine
from rnn_mnist_tf.study.record import read_record
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.files import lock, make_writable, sweep, write_text

POINTS = "points"
FAILED = "failed"
RECORD = "point.json"
ANALYSES = "analyses.json"
CORES = "cores.txt"  # on how many a point is trained; written before


class PointRunner:
    """Runs the points of a study in children, and knows which are done.

    Args:
        workdir: the study's directory.
        children: a `Children`.
        study: the study's name.
        results: a directory for a copy of each record, or empty; what has its record there is done.
        analyses: names of measurements after the training; see the `analyze` program.
        steps_per_call: see `Trainer`.
        overwrite: whether the run of another configuration in a point's place is deleted.
    """

    def __init__(
        self,
        workdir,
        children,
        study="study",
        results="",
        analyses=(),
        steps_per_call=50,
        overwrite=False,
    ):
        self.workdir, self.children = pathlib.Path(workdir), children
        self.study, self.results, self.analyses = study, results, tuple(analyses)
        self.steps_per_call, self.overwrite = steps_per_call, overwrite
        self._digests = {}
        self._sources = set()  # whose images are read anyway

    def directory(self, point):
        """Returns where a point's run lives."""
        return self.workdir / POINTS / point.name

    def check_place(self, point):
        """Raises `InputError` if another run is in the point's place, or its record in its copy's.

        That is one of another configuration, on other cores or with other data.
        """
        different = self._differences(point)
        if different and not self.overwrite:
            raise InputError(
                f"Received workdir={str(self.workdir)!r}, whose point {point.name} holds another "
                f"run ({'; '.join(different)}). Choose another --workdir, or pass --overwrite."
            )
        if self.overwrite or not self._is_published(point):
            return
        record = self._read_published(point)
        if record is None:
            raise InputError(
                f"Received results={self.results!r}, where {self.study}/{point.name}.json is the "
                "record of another configuration, other cores or other data. Choose another "
                "--results or --name, or pass --overwrite."
            )
        missing = [name for name in self.analyses if name not in record["analyses"]]
        own = self._read_own(point)
        if missing and not (own and _is_same_run(own, record)):
            raise InputError(
                f"Received results={self.results!r}, where {self.study}/{point.name}.json is the "
                f"record of a run that is not in workdir, without {', '.join(missing)}. Take that "
                "from --analyses, or pass --overwrite to train the point again and replace it."
            )

    def check_data(self, points, waiting):
        """Raises `InputError` where what is done is of other images than what is still to be run.

        What is done needs no data; but a table is of one data set, and files may have changed where
        they lie.

        Args:
            points: all of the study.
            waiting: those that are not done.
        """
        self._sources = {point.config.source for point in waiting}
        for point in points:
            if point.config.source in self._sources:
                self.check_place(point)

    def load(self, *source):
        """Returns a data set, see `load_dataset`, and remembers its digests."""
        dataset = load_dataset(*source)
        self._digests[source] = dataset.digest, dataset.test_digest
        return dataset

    def _read_digests(self, *source):
        if source not in self._digests:
            self.load(*source)
        return self._digests[source]

    def check_results(self):
        """Raises `InputError` if the directory of results cannot be written."""
        if self.results:
            make_writable(pathlib.Path(self.results) / self.study, f"results={self.results!r}")

    def read_record(self, point):
        """Returns the record of a point that is done, or None.

        A point is done if its run is complete, of the same configuration, and analysed as asked:
        one whose record is among the results, or else the run in `workdir`.
        """
        for read in (self._read_published, self._read_own):
            record = read(point)
            if record is not None and set(self.analyses) <= set(record["analyses"]):
                return record
        return None

    def read_failure(self, point):
        """Returns what was recorded of a point that failed, or None."""
        path = self._failure_path(point)
        return _read_json(path) if path.is_file() else None

    def run(self, point):
        """Trains and analyses a point, or goes on with it.

        Returns:
            Its record; None if it failed, which is recorded, or if the children were stopped.
        """
        self.check_place(point)
        self._forget_another_run(point)
        begin = time.perf_counter()
        if not self._is_trained(point):
            try:
                self._prepare_place(point)
            except (InputError, OSError) as error:
                self._record_failure(point, "train", Ending(1, one_line(error)))
                return None
            place = [f"--workdir={self.directory(point)}", "--noprogress"]
            how = [f"--cores={point.cores}", f"--steps_per_call={self.steps_per_call}"]
            if not self._succeeds(point, "train", [*config_flags(point.config), *how, *place]):
                return None
        analyses = self._read_analyses(point)
        missing = [name for name in self.analyses if name not in analyses]
        if missing:
            flags = [
                f"--workdir={self.directory(point)}",
                f"--analyses={','.join(missing)}",
                f"--output={self.directory(point) / ANALYSES}",
                f"--cores={point.cores}",
                f"--tfds_dir={point.config.tfds_dir}",
            ]
            if point.config.dataset == "idx":  # it may have moved since
                flags.append(f"--data_dir={point.config.data_dir}")
            if not self._succeeds(point, "analyze", flags):
                return None
        return self._write_record(point, time.perf_counter() - begin)

    def _prepare_place(self, point):
        """Deletes a run that is to be replaced, and says on how many cores the next one is."""
        with lock(self.directory(point), "train") as directory:  # whose run is not ours to delete
            sweep(directory, (RECORD, ANALYSES, CORES))
            if self._differences(point):  # only then: what is half done goes on
                _delete_record(directory)
                workdirs.delete_run(directory)
            write_text(directory / CORES, f"{point.cores}\n")

    def _forget_another_run(self, point):
        """Deletes record and analyses of a run that has gone from the point's place since."""
        directory = self.directory(point)
        if (directory / RECORD).is_file() and not _has_record_of_run(directory):
            _delete_record(directory)

    def publish(self, point, record):
        """Writes a point's record into the directory of results, if there is to be one.

        What is in a record of the same run that is there stays: marks by hand, and analyses. That
        the point failed before is forgotten.

        Returns:
            The record as it is there.
        """
        self._failure_path(point).unlink(missing_ok=True)
        if not self.results:
            return record
        path = self._published_path(point)
        try:
            held = _read_run(path, record)
            analyses = {**held.get("analyses", {}), **record["analyses"]}
            merged = {**record, **held, "analyses": analyses}
            if merged != held:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, _to_text(merged))
            return merged
        except OSError as error:
            raise InputError(
                f"Received results={self.results!r}, expected a directory that can be written: "
                f"{error}."
            ) from error

    def _published_path(self, point):
        return pathlib.Path(self.results) / self.study / f"{point.name}.json"

    def _is_published(self, point):
        return bool(self.results) and self._published_path(point).is_file()

    def _read_own(self, point):
        """Returns the record of the run in the point's place, or None."""
        directory = self.directory(point)
        if not (directory / RECORD).is_file() or not self._is_trained(point):
            return None
        return _read_json(directory / RECORD) if _has_record_of_run(directory) else None

    def _read_published(self, point):
        """Returns a record of the same run among the results, or None.

        A run in the point's place says what data it had; a damaged record is taken for its copy.
        """
        if not self._is_published(point):
            return None
        own = self._read_own(point)
        try:
            held, record = read_record(self._published_path(point))
        except InputError:
            if own is None:
                raise
            return own
        if point.config.differences(held.config) or point.cores != held.cores:
            return None
        digests = _digests_of(own) if own is not None else self._read_digests(*point.config.source)
        return record if _is_same_data(_digests_of(record), digests) else None

    def _is_trained(self, point):
        return workdirs.is_complete(self.directory(point)) and not self._differences(point)

    def _differences(self, point):
        """How the run in a point's place differs from the point; empty if there is none."""
        if not (self.directory(point) / workdirs.CONFIG).exists():
            return []
        held = workdirs.read_description(self.directory(point))
        different = point.config.differences(held.config)
        cores = point.cores
        if (self.directory(point) / CORES).is_file():
            cores = _read_json(self.directory(point) / CORES)
        elif (self.directory(point) / RECORD).is_file():  # of days before
            cores = _read_json(self.directory(point) / RECORD)["cores"]
        if cores != point.cores:
            different.append(f"cores: {point.cores}, not {cores}")
        moved = point.config.source != held.config.source
        if different or not (moved or point.config.source in self._sources):
            return different
        digest, test_digest = self._read_digests(*point.config.source)
        if digest != held.data_digest:
            return ["other training images or labels"]
        result = workdirs.read_result(self.directory(point)) or {}
        if workdirs.has_other_test_images(result, test_digest):
            return ["other test images or labels"]
        return []

    def _succeeds(self, point, program, flags):
        """Runs a child. Records its failure, or forgets that of an earlier start."""
        if self.children.stopped:
            return False
        ending = self.children.run(program, flags)
        if ending.code == 0:
            self._failure_path(point).unlink(missing_ok=True)
            return True
        if not self.children.stopped:
            self._record_failure(point, program, ending)
        return False

    def _record_failure(self, point, program, ending):
        path = self._failure_path(point)
        path.parent.mkdir(exist_ok=True)
        failure = {"program": program, **ending._asdict(), "date": _now()}
        write_text(path, _to_text(failure))

    def _failure_path(self, point):
        return self.workdir / FAILED / f"{point.name}.json"

    def _read_analyses(self, point):
        path = self.directory(point) / ANALYSES
        return _read_json(path) if path.is_file() else {}

    def _write_record(self, point, seconds):
        directory = self.directory(point)
        if (directory / RECORD).is_file():  # of this run, and now with more analyses
            record = {**_read_json(directory / RECORD), "analyses": self._read_analyses(point)}
            if describe_machine() != record["machine"]:
                record["analyses_machine"] = describe_machine()
            write_text(directory / RECORD, _to_text(record))
            return record
        lines = (directory / workdirs.METRICS).read_text().splitlines()
        description = workdirs.read_description(directory)
        record = {
            "study": self.study,
            "point": point.name,
            "settings": point.settings,
            "choices": point.choices,
            "seed": point.config.seed,
            "cores": point.cores,
            "config": point.config.without_places(),
            "classes": len(description.class_names),
            "data_digest": description.data_digest,
            "curve": [json.loads(line) for line in lines],
            "result": workdirs.read_result(directory),
            "analyses": self._read_analyses(point),
            "seconds": round(seconds, 3),
            "date": _now(),
            "machine": describe_machine(),
        }
        write_text(directory / RECORD, _to_text(record))
        return record


def _read_run(path, record):
    """What a file holds of the same run as a record, which date and result tell; else nothing."""
    try:
        held = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    same = isinstance(held, dict) and _is_same_run(held, record)
    return held if same and isinstance(held.get("analyses"), dict) else {}


def _is_same_run(record, other):
    return all(record.get(name) == other[name] for name in ("date", "result", "seed"))


def _digests_of(record):
    return record["data_digest"], record["result"].get("test_digest")


def _is_same_data(digests, others):
    """Whether training and test parts are the same; records of earlier days say the first only."""
    return all(None in pair or pair[0] == pair[1] for pair in zip(digests, others))


def _has_record_of_run(directory):
    return _read_json(directory / RECORD)["result"] == workdirs.read_result(directory)


def _delete_record(directory):
    (directory / RECORD).unlink(missing_ok=True)
    (directory / ANALYSES).unlink(missing_ok=True)


def config_flags(config):
    """Returns every field of a configuration as a flag.

    >>> from rnn_mnist_tf.training import TrainConfig
    >>> config_flags(TrainConfig(cell="gru", residual=True))[-3:]
    ['--label_smoothing=0.0', '--ema_momentum=0.0', '--seed=0']
    """
    return [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in dataclasses.asdict(config).items()
    ]


def _read_json(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"Received {path}, expected JSON of this study: {error}.") from error


def _to_text(values):
    return json.dumps(values, indent=2) + "\n"


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
