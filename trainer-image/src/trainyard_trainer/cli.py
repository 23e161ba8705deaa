"""`trainyard`: what people do with models, from a shell."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
from trainyard_schema import EXIT_CODES, ModelType, Reason

from trainyard_trainer import cpu
from trainyard_trainer.errors import TrainerError

_NOT_FOUND = EXIT_CODES[Reason.DATA_NOT_FOUND]
# As in sysexits(3): data are wrong, a service is not available, an output cannot be created.
_CORRUPTED, _NO_LIBRARY, _NOT_WRITTEN = 65, 69, 73
_EXITS = f"""exit codes:
  0   scored
  2   wrong usage
  {_CORRUPTED}  a file of the version is missing, has another hash, or is no model
  {_NOT_FOUND}  no such model, version or input
  {EXIT_CODES[Reason.INVALID_DATA]}  the rows lack a column, or hold a value of the wrong kind
  {_NO_LIBRARY}  the library of the model type is not installed
  {_NOT_WRITTEN}  the output cannot be written
  {EXIT_CODES[Reason.STORAGE_UNAVAILABLE]}  the object store does not answer, or refuses

Credentials and the store's address come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
and AWS_ENDPOINT_URL."""


class _CommandError(Exception):
    """A failure with the exit code that tells it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="trainyard", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser(
        "predict",
        help="score raw rows with a model",
        description="Score raw rows with a model, after checking all of its files.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = predict.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="name of a model: its current version is taken")
    which.add_argument("--uri", help="a version or a model type: a folder, or s3://bucket/key")
    predict.add_argument(
        "--type",
        choices=[item.value for item in ModelType],
        help="with --model, if there is more than one type",
    )
    predict.add_argument(
        "--bucket", default="trainyard", help="where --model is looked for (default: %(default)s)"
    )
    predict.add_argument(
        "--input", required=True, help="CSV or Parquet: a file, or s3://bucket/key"
    )
    predict.add_argument("--output", default="-", help="a CSV file; - is standard output (default)")
    predict.add_argument("--endpoint-url", help="goes before AWS_ENDPOINT_URL")
    return parser.parse_args(arguments)


def _predict(arguments: argparse.Namespace) -> None:
    # Numeric libraries read the number of threads when they are imported.
    threads = cpu.limit_threads()
    from trainyard_trainer import loading, predict, scoring  # noqa: PLC0415

    endpoint = arguments.endpoint_url
    model_type = ModelType(arguments.type) if arguments.type else None
    try:
        uri = arguments.uri or loading.find_current(
            arguments.bucket, arguments.model, model_type, endpoint
        )
        scorer = loading.load_model(uri, endpoint_url=endpoint, threads=threads)
        rows = predict.read_rows(arguments.input, scorer.schema, endpoint)
        prediction = predict.score(scorer, rows)
    except (loading.ModelNotFoundError, predict.InputNotFoundError) as error:
        raise _CommandError(_NOT_FOUND, str(error)) from error
    except scoring.CorruptedVersionError as error:
        raise _CommandError(_CORRUPTED, str(error)) from error
    except scoring.MissingLibraryError as error:
        raise _CommandError(_NO_LIBRARY, str(error)) from error
    except TrainerError as error:
        raise _CommandError(EXIT_CODES[error.reason], error.message) from error
    with contextlib.ExitStack() as stack:
        out = sys.stdout
        if arguments.output != "-":
            try:
                out = stack.enter_context(Path(arguments.output).open("w", encoding="utf-8"))
            except OSError as error:
                raise _CommandError(_NOT_WRITTEN, f"cannot write: {error}") from error
        predict.write_csv(scorer, prediction, out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; end with its exit code."""
    # What is told on the way must not get between the predictions.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        _predict(_arguments(arguments))
        sys.stdout.flush()
    except _CommandError as error:
        sys.stderr.write(f"trainyard: {error}\n")
        sys.exit(error.code)
    except BrokenPipeError:
        # Whoever reads has read enough, as `head` does. Nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
