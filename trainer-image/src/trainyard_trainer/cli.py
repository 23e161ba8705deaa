"""`trainyard-trainer`: what people do with models where the libraries of the models are."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from trainyard_schema import EXIT_CODES, ModelType, Reason

from trainyard_trainer import cpu
from trainyard_trainer.errors import TrainerError

_NOT_FOUND = EXIT_CODES[Reason.DATA_NOT_FOUND]
# As in sysexits(3): data are wrong, a service is not available, an output cannot be created.
_CORRUPTED, _NO_LIBRARY, _NOT_WRITTEN = 65, 69, 73
_EXITS = f"""exit codes:
  0   done
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


def _arguments(arguments: Sequence[str] | None, program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser(
        "predict",
        help="score raw rows with a model",
        description="Score raw rows with a model, after checking all of its files.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = predict.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--model", help="name of a model: its champion is taken, else its current version"
    )
    which.add_argument("--uri", help="a version or a model type: a folder, or s3://bucket/key")
    predict.add_argument(
        "--type",
        choices=[item.value for item in ModelType],
        help="with --model, if it has no champion and more than one type",
    )
    predict.add_argument(
        "--bucket", default="trainyard", help="where --model is looked for (default: %(default)s)"
    )
    predict.add_argument(
        "--input", required=True, help="CSV or Parquet: a file, or s3://bucket/key"
    )
    predict.add_argument("--output", default="-", help="a CSV file; - is standard output (default)")
    predict.add_argument("--endpoint-url", help="goes before AWS_ENDPOINT_URL")
    predict.set_defaults(command=_predict)
    history = commands.add_parser(
        "history",
        help="show which version was the champion when, and why",
        description="Show which version of a Model was the champion when, and why. Newest first.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    history.add_argument("--model", required=True, help="name of a Model")
    history.add_argument(
        "--at",
        type=_time,
        metavar="TIME",
        help="show the champion at that time alone, such as 2026-11-23T09:00Z or 2026-11-23",
    )
    history.add_argument("--bucket", default="trainyard", help="default: %(default)s")
    history.add_argument("--endpoint-url", help="goes before AWS_ENDPOINT_URL")
    history.set_defaults(command=_history)
    return parser.parse_args(arguments)


def _time(text: str) -> datetime:
    """A time in ISO 8601, in UTC unless it says otherwise."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@contextlib.contextmanager
def _told_by_exit_code() -> Iterator[None]:
    """Failures of the commands as those with an exit code."""
    from trainyard_trainer import loading, predict, scoring  # noqa: PLC0415

    try:
        yield
    except (loading.ModelNotFoundError, predict.InputNotFoundError) as error:
        raise _CommandError(_NOT_FOUND, str(error)) from error
    except scoring.CorruptedVersionError as error:
        raise _CommandError(_CORRUPTED, str(error)) from error
    except scoring.MissingLibraryError as error:
        raise _CommandError(_NO_LIBRARY, str(error)) from error
    except TrainerError as error:
        raise _CommandError(EXIT_CODES[error.reason], error.message) from error


def _history(arguments: argparse.Namespace) -> None:
    cpu.limit_threads()
    from trainyard_trainer import history, loading  # noqa: PLC0415

    with _told_by_exit_code():
        found = history.transitions(arguments.bucket, arguments.model, arguments.endpoint_url)
        if arguments.at is None:
            records = list(found)
        else:
            latest = history.latest_at(found, arguments.at)
            if latest is None or latest.to is None:
                raise loading.ModelNotFoundError(
                    f"{arguments.model} had no champion at {arguments.at.isoformat()}"
                )
            records = [latest]
    history.write_table(records, sys.stdout)


def _predict(arguments: argparse.Namespace) -> None:
    # Numeric libraries read the number of threads when they are imported.
    threads = cpu.limit_threads()
    from trainyard_trainer import loading, predict  # noqa: PLC0415

    endpoint = arguments.endpoint_url
    model_type = ModelType(arguments.type) if arguments.type else None
    with _told_by_exit_code():
        uri = arguments.uri or loading.find_current(
            arguments.bucket, arguments.model, model_type, endpoint
        )
        scorer = loading.load_model(uri, endpoint_url=endpoint, threads=threads)
        rows = predict.read_rows(arguments.input, scorer.schema, endpoint)
        prediction = predict.score(scorer, rows)
    with contextlib.ExitStack() as stack:
        out = sys.stdout
        if arguments.output != "-":
            try:
                out = stack.enter_context(Path(arguments.output).open("w", encoding="utf-8"))
            except OSError as error:
                raise _CommandError(_NOT_WRITTEN, f"cannot write: {error}") from error
        predict.write_csv(scorer, prediction, out)


def main(arguments: Sequence[str] | None = None, *, program: str = "trainyard-trainer") -> None:
    """Run a command; end with its exit code. Messages name the `program` that was typed."""
    # What is told on the way must not get between the predictions.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        chosen = _arguments(arguments, program)
        chosen.command(chosen)
        sys.stdout.flush()
    except _CommandError as error:
        sys.stderr.write(f"{program}: {error}\n")
        sys.exit(error.code)
    except BrokenPipeError:
        # Whoever reads has read enough, as `head` does. Nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
