"""What is trained when."""

from trainyard_client.cli.output import Output, OutputOption, duration, print_list
from trainyard_client.client import Client
from trainyard_client.plans import Plan


def list_plans(client: Client, *, output: OutputOption = Output.TABLE) -> None:
    """List what is trained when: schedules, next and last runs, and how long they take."""
    empty = "No Models. One is made by: kubectl apply -f examples/model.yaml"
    print_list(client.plans(), output, lambda plan: plan.name, _COLUMNS, empty)


def _schedule(plan: Plan) -> str:
    text = f"{plan.schedule} ({plan.time_zone})" if plan.schedule else "on request"
    return f"{text}, suspended" if plan.suspended else text


_COLUMNS = {
    "NAME": lambda plan: plan.name,
    "TYPE": lambda plan: plan.model_type,
    "SCHEDULE": _schedule,
    "NEXT RUN": lambda plan: plan.next_run,
    "LAST RUN": lambda plan: plan.last_run,
    "STATUS": lambda plan: plan.last_run_status,
    "TAKES": lambda plan: plan.typical_seconds and duration(plan.typical_seconds),
    "RETRAIN --ALL": lambda plan: plan.retrainable,
    "CHAMPION": lambda plan: plan.champion,
    "METRIC": lambda plan: plan.champion_metric,
}
