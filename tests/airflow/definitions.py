"""What the five DAGs are: their operators, tokens, waits, pools and assets; and what is wrong with settings.

    python definitions.py FOLDER
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from shared import TABLES, Shared, expect

DAGS = {f"northstar_{name}" for name in ("daily", "backfill", "rerun", "maintenance", "audit")}
STOCK = "airflow.providers.amazon.aws.operators.emr"


def bag(shared: Shared):
    from airflow.dag_processing.dagbag import DagBag

    dags = str(shared.folder / "dags")
    if dags not in sys.path:
        sys.path.insert(0, dags)
    return DagBag(dag_folder=dags)


def commands(dags: dict) -> list:
    """The tasks that run a command, mapped ones by the arguments that are the same for all."""
    found = []
    for dag in dags.values():
        for task in dag.tasks:
            if task.task_type == "EmrServerlessStartJobOperator":
                given = task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)
                found.append((dag, task, SimpleNamespace(**given)))
    return found


def all_are_there(shared: Shared) -> dict:
    got = bag(shared)
    expect("import errors", got.import_errors, {})
    dags = {name: dag for name, dag in got.dags.items() if name in DAGS}
    expect("DAGs", set(dags), DAGS)
    return dags


def operators(dags: dict) -> None:
    from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

    for dag, task, given in commands(dags):
        kind = task.operator_class if hasattr(task, "partial_kwargs") else type(task)
        expect(f"the operator of {task.task_id}", (kind, kind.__module__), (EmrServerlessStartJobOperator, STOCK))
        expect(f"cancels when killed: {task.task_id}", given.cancel_on_kill, True)
        expect(f"a run of {dag.dag_id} at once", dag.max_active_runs, 1)
        expect("a name that stays", given.name, "{{ ti.dag_id }}.{{ ti.task_id }}")
        # The wait is for longer than the queue and the run may take, so that no run is forgotten.
        waits_minutes = given.waiter_delay * given.waiter_max_attempts / 60
        longest_minutes = 360 + given.config["executionTimeoutMinutes"]
        expect(f"waits long enough: {task.task_id}", waits_minutes > longest_minutes > 25, True)


def pools(dags: dict) -> None:
    """A silver table has one writer: each task that names it is in its pool, of one slot, deferred or not."""
    import stack

    known = json.loads(stack.POOLS.read_text(encoding="utf-8"))
    for _, task, given in commands(dags):
        if task.task_id == "audit":
            continue
        expect(f"the pool of {task.task_id} counts what is deferred", known[given.pool]["include_deferred"], True)
        if task.task_id in ("load", "backfill"):
            continue
        (table,) = [table for table in TABLES if task.task_id.endswith(f"_{table}")]
        expect(f"the pool of {task.task_id}", given.pool, f"northstar_silver_{table}")
        expect(f"slots of {given.pool}", known[given.pool]["slots"], 1)


def assets(dags: dict) -> None:
    """A table's asset is updated by its last step of the day."""
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in dags["northstar_daily"].tasks}
    for table in TABLES:
        expect(f"assets of {table}", outlets[f"reconcile_{table}"], [f"northstar://silver/{table}"])
        expect(f"before it is reconciled: {table}", outlets[f"merge_{table}"], [])


def tokens() -> None:
    from northstar.client_token import client_token

    def instance(**differs):
        run = {"dag_id": "northstar_daily", "run_id": "manual__2024-01-01T02:00:00+00:00"}
        one = {**run, "task_id": "merge_lab_result", "map_index": -1, "try_number": 1}
        return SimpleNamespace(**{**one, **differs})

    token = client_token(instance())
    expect("the same again", client_token(instance()), token)
    long = instance(dag_id="d" * 250, task_id="gröûp.täsk" * 25, try_number=12345)
    others = [{"dag_id": "x"}, {"run_id": "x"}, {"task_id": "x"}, {"map_index": 0}, {"map_index": 1}, {"try_number": 2}]
    found = [token, client_token(long), *(client_token(instance(**other)) for other in others)]
    expect("all differ", len(set(found)), len(found))
    for one in found:
        expect(f"fits: {one}", bool(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", one)), True)


def wrong_settings(shared: Shared) -> None:
    """A setting that lacks or is misspelt is the import error of each DAG, and says what to do."""
    right = json.loads(os.environ["AIRFLOW_VAR_NORTHSTAR"])
    wrong = {"application_id": {**right, "application_id": ""}, "deferable": {**right, "deferable": False}}
    for named, variable in wrong.items():
        os.environ["AIRFLOW_VAR_NORTHSTAR"] = json.dumps(variable)
        errors = [text for path, text in bag(shared).import_errors.items() if Path(path).stem in DAGS]
        expect(f"import errors for {named}", [named in text for text in errors], [True] * len(DAGS))


def groups() -> None:
    """A folder for each facility group, of all tables; at most 500."""
    import tempfile

    from northstar import landing

    def refused(found: list[str]) -> str:
        try:
            landing.groups("/nowhere", "aws_default", found)
        except ValueError as error:
            return str(error)
        return ""

    with tempfile.TemporaryDirectory() as folder:
        for name in ("visit/north", "visit/south", "charge/north"):
            Path(folder, "backfill", name).mkdir(parents=True)
        expect("groups", landing.groups(folder, "aws_default", None), ["north", "south"])
        expect("chosen ones", landing.groups(folder, "aws_default", ["south"]), ["south"])
    expect("500", len(landing.groups("/nowhere", "aws_default", [str(number) for number in range(500)])), 500)
    expect("501", "more than 500" in refused([str(number) for number in range(501)]), True)
    expect("none", "no facility group" in refused([]), True)


def main() -> None:
    shared = Shared(Path(sys.argv[1]))
    shared.tell(reconcile=True)
    os.environ.update(shared.airflow.environment)
    dags = all_are_there(shared)
    operators(dags)
    pools(dags)
    assets(dags)
    tokens()
    groups()
    wrong_settings(shared)
    print(f"{len(dags)} DAGs, {len(commands(dags))} commands")


if __name__ == "__main__":
    main()
