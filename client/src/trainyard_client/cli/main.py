"""`trainyard`, and `kubectl trainyard`."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Final

import stamina.instrumentation
import typer
from stamina.instrumentation import RetryDetails

from trainyard_client.cli import (
    access,
    alerts,
    datasets,
    decisions,
    feedback,
    history,
    jobs,
    models,
    plans,
    predict,
    retrains,
    submit,
    watch,
)
from trainyard_client.cli.connection import program, with_access, with_client
from trainyard_client.cli.errors import EXITS, CommandError, Exit, explain
from trainyard_client.cli.output import stderr
from trainyard_client.errors import TrainyardError

_RUNS: Final = "Trainings"
_MODELS: Final = "Models and champions"
_DATA: Final = "Data and predictions"
_ACCESS: Final = "Access"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXITS.replace("\n", " "),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trainyard {version('trainyard-client')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Train tabular models on Kubernetes: start, follow, compare, promote.

    The API is found at --url, at TRAINYARD_URL, where [bold]login[/bold] has stored it, or else in
    the cluster of the kubeconfig, by kubectl.
    """


for _name, _function, _panel in (
    ("submit", submit.submit, _RUNS),
    ("list", jobs.list_jobs, _RUNS),
    ("status", jobs.status, _RUNS),
    ("watch", watch.watch, _RUNS),
    ("logs", jobs.logs, _RUNS),
    ("cancel", jobs.cancel, _RUNS),
    ("promote", decisions.promote, _MODELS),
    ("approve", decisions.approve, _MODELS),
    ("reject", decisions.reject, _MODELS),
    ("rollback", decisions.rollback, _MODELS),
    ("retrain", retrains.retrain, _MODELS),
    ("retrains", retrains.list_retrains, _MODELS),
    ("plans", plans.list_plans, _MODELS),
    ("history", history.list_history, _MODELS),
    ("alerts", alerts.list_alerts, _MODELS),
    ("redeliver", alerts.redeliver, _MODELS),
    ("upload", datasets.upload, _DATA),
    ("datasets", datasets.list_datasets, _DATA),
    ("feedback", feedback.give, _DATA),
    ("whoami", access.whoami, _ACCESS),
):
    app.command(_name, rich_help_panel=_panel)(with_client(_function))
# As kubectl has it.
app.command("get", hidden=True)(with_client(jobs.status))
models.app.command("feedback")(with_client(feedback.summary))
app.add_typer(models.app, rich_help_panel=_MODELS)
app.command("predict", rich_help_panel=_DATA)(predict.predict)
app.command("login", rich_help_panel=_ACCESS)(access.login)
app.command("logout", rich_help_panel=_ACCESS)(access.logout)
app.command("token", rich_help_panel=_ACCESS)(with_access(access.token))


def main() -> None:
    """Run a command; a failure is told in a few lines, and by the exit code."""
    stamina.instrumentation.set_on_retry_hooks([_tell_retry])
    try:
        _refuse_completion_of_a_plugin()
        app(prog_name=program())
    except CommandError as error:
        _fail(str(error), error.code)
    except TrainyardError as error:
        _fail(explain(error, program()), Exit.ERROR)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # Whoever reads has read enough, as `head` does. Nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse_completion_of_a_plugin() -> None:
    # kubectl completes its plugins in its own way, and what typer would install does not work.
    wanted = [word for word in sys.argv if word in ("--install-completion", "--show-completion")]
    if wanted and program() != "trainyard":
        raise CommandError(f"Completion is for the command itself: trainyard {wanted[0]}")


def _tell_retry(details: RetryDetails) -> None:
    stderr().print(f"{details.caused_by}; trying again in {details.wait_for:.1f} s", style="dim")


def _fail(message: str, code: Exit) -> None:
    out = stderr()
    out.print("error:", style="bold red", end=" ")
    out.print(message)
    sys.exit(code)


if __name__ == "__main__":
    main()
