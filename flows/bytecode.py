"""Has Python keep in compiled form what a run imports: `python -m flows.bytecode`, the last step of `make install`.

pip could compile every file of every package, which takes minutes; what a run imports is a fraction. It is compiled by being
imported, on all processors at once, also where PYTHONDONTWRITEBYTECODE is set, as containers like to: there each of a run's
processes would compile the same again, three times as long as it takes to load.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from flows.commands import QUIET
from mucode.processes import tied
from mucode.types import MucodeError

# What one process of a run imports, and below it what it imports later, within functions. The longest first.
PROCESSES: tuple[tuple[str, ...], ...] = (
    (
        "mucode.generator.fine_tune",
        "mucode.verifier.train",
        "mucode.generator.transformers_engine",
        "peft",
        "transformers.models.llama.modeling_llama",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
    ),
    ("great_expectations", "great_expectations.expectations", "great_expectations.datasource.fluent"),
    (
        "flows.quickstart",
        "flows.retrain",
        "flows.recovery",
        "prefect.server.api.server",
        "uvicorn",
        "prefect.artifacts",
    ),
    (
        "mlflow",
        "mlflow.pyfunc",
        "mlflow.store.tracking.sqlalchemy_store",
        "mlflow.store.model_registry.sqlalchemy_store",
    ),
    ("dvc.cli", "dvc.commands.repro", "dvc.repo.reproduce", "dvc.repo.commit", "dvc_data.index", "networkx"),
    ("mucode.stages", "mucode.report", "mucode.evaluation", "mucode.execution.judge", "pyarrow.parquet", "numpy"),
)
IMPORT = (
    "import importlib, sys; sys.dont_write_bytecode = False; [importlib.import_module(name) for name in sys.argv[1:]]"
)


def main() -> int:
    """Import everything; 0 if all of it could be."""
    try:
        import_all(PROCESSES, len(os.sched_getaffinity(0)))
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        return 1
    return 0


def import_all(groups: Sequence[Sequence[str]], at_once: int) -> None:
    """Import each group in a process of its own, `at_once` of them beside each other.

    Raises:
        MucodeError: a package cannot be imported.
    """
    environment = {**os.environ, **QUIET, "GX_ANALYTICS_ENABLED": "false", "HF_HUB_OFFLINE": "1"}
    waiting, running = list(reversed(groups)), list[subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            command = tied([sys.executable, "-W", "ignore", "-c", IMPORT, *waiting.pop()])
            running.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
        done = running.pop(0)
        _, said = done.communicate()
        if done.returncode != 0:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise MucodeError(
                f"what was installed cannot be imported ({last}): remove .venv and run `make install` again"
            )


if __name__ == "__main__":
    sys.exit(main())
