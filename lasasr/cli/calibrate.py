"""`lasasr calibrate`: how sure a recognizer is of each word, fitted on dev and kept in its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import LasasrError

EPILOG = """\
The confidence of a word, in [0, 1], then stands in what transcribe and evaluate write. It is fitted to the run's own
search; evaluate says of each split how far it can be believed. The numbers printed here are cross-validated."""


def run(arguments: list[str]) -> int:
    """Decode dev, fit, write the bundle anew, and print what was measured."""
    parser = Parser("calibrate", "Fit the confidence of words on dev.", EPILOG)
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    add_device(parser)
    options = parser.read(arguments)

    with loading():
        from lasasr.artifacts import run_paths
        from lasasr.artifacts.run_lock import writing
        from lasasr.cli.progress import progress
        from lasasr.configuration.settings import Recognition
        from lasasr.evaluation import calibration
        from lasasr.metrics.confidence import measured
        from lasasr.models.recognizer import Recognizer
        from lasasr.report import figures
        from lasasr.report.confidence_chart import confidence_chart
        from lasasr.tasks.recognition import RecognitionTask

    trained = run_paths.find_run(options.run)
    settings = trained.settings()
    if not isinstance(settings, Recognition):
        raise LasasrError(f"{trained.folder} is a language model: only recognizers have words to be sure of")
    recognizer = Recognizer.load(run_paths.bundle_folder(trained.folder), usable(options.device))
    with writing(trained.folder, "calibrated"), progress() as report:
        prepared = RecognitionTask(settings).prepare(report)
        batches = prepared.batches("dev", recognizer.frontend.sample_rate_hz, settings.evaluate.batch_s)
        decoded = calibration.decode(recognizer, batches)
        confidences, right = calibration.cross_validated(decoded)
        recognizer.calibration = calibration.fit(decoded)
        recognizer.to("cpu").save(trained.bundle)
        path = trained.folder / "plots" / "confidence-dev.png"
        path.parent.mkdir(exist_ok=True)
        figures.save(confidence_chart(confidences, right, f"{trained.folder.name}: dev"), path)
    print_measured(measured(confidences, right))
    print(f"written: {trained.bundle}\nwritten: {path}")
    return 0


def print_measured(summary: dict[str, Any]) -> None:
    """In lines."""
    area = "none" if summary["roc_area"] is None else f"{summary['roc_area']:.3f}"
    print(f"words: {summary['words']}, {summary['wrong']} of them wrong")
    print(f"calibration error: {summary['calibration_error']:.4f}, area under the ROC curve: {area}")
    if summary["worst_tenth_holds"] is not None:
        print(f"the least sure tenth holds {summary['worst_tenth_holds']:.1f} % of the wrong words")
    for row in summary["kept"]:
        print(f"  the surest {100 * row['share']:3.0f} %: {row['wrong_percent']:.2f} % wrong")
