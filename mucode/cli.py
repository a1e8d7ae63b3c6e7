"""The command line: a subcommand per stage, and the tools. Options are read off the functions' signatures."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from cyclopts import App

from mucode import __version__
from mucode.processes import die_with_run
from mucode.types import MucodeError

EXIT_INTERRUPTED = 130

STAGES = (
    "prepare",
    "base_model",
    "roll_out",
    "label",
    "validate",
    "aggregate",
    "train_verifier",
    "relabel",
    "fine_tune",
    "evaluate",
    "select",
    "benchmark",
    "report",
)  # the functions of stages.py that dvc.yaml runs; a test compares

SOLVE = """Solve one problem with a trained pair, or with a generator alone.

The program goes to standard output, everything else to standard error. Exit status 0: the program passes the public
tests, or there are none; 3: it does not, or no program was found; 1: an error.

The problem's tests, setup and docstring examples run outside the sandbox, in the judge: take problem files from people
you trust.
"""  # this and the next are here, because reading them off the functions would import the functions

COLLECT = """Examine the problems in data/incoming/, and add those that pass to the training set.

Rows have MBPP's fields: text, code, test_list, and as need be challenge_test_list and test_setup_code. Their tests run
outside the sandbox, in the judge: take them from people you trust.
"""

TOOLS = {  # imported when they run
    "solve": ("mucode.solve.command:solve", SOLVE),
    "collect": ("mucode.collect.command:collect", COLLECT),
    "branch": (
        "mucode.lineage.branch:branch",
        "Commit dvc.lock and what made it to a branch run/DATE-NAME; your branch, index and files stay as they are.",
    ),
    "register": ("mucode.registry:register", "Register the selected pair in MLflow."),
    "promote": (
        "mucode.registry.promote:promote",
        "Make the challenger champion, if mlflow/promotion.yaml allows it.",
    ),
    "rollback": ("mucode.registry.promote:rollback", "Make the champion before the present one champion again."),
    "plan": ("mucode.parameters:plan", "Write the plan that follows from params.yaml's study."),
    "results": ("mucode.study.command:results", "Write docs/results.md anew from the study's files."),
    "budget": ("mucode.study.command:budget", "What the study will take, before it runs."),
}


def label(
    *,
    problems: Path | None = None,
    completions: Path | None = None,
    out: Path | None = None,
    stream: bool = False,
    timeout: float = 5.0,
    workers: int | str | None = None,
    allow_weak_isolation: bool = False,
) -> None:
    """Label completions: which programs pass their tests?

    Parameters
    ----------
    problems:
        JSON lines in MBPP's, HumanEval's or CodeContests' own format.
    completions:
        JSON lines with task_id and completion, a program or a chat reply.
    out:
        Where the labels go, in the completions' order; an interrupted run goes on when run again.
    stream:
        Instead of files: read {"problem": ..., "completion": ...} lines from standard input and answer each at once.
    timeout:
        Wall seconds for loading one program and all its tests.
    workers:
        Judges at work; the number of processors if not given. Or dask://HOST:PORT: those of a Dask cluster's workers.
    allow_weak_isolation:
        Run programs even where neither namespaces nor Landlock are to be had: they could then read your files.
    """
    from mucode.label import label as label_files
    from mucode.label import label_stream

    if stream:
        if isinstance(workers, str):
            raise MucodeError(f"--stream judges on this machine: give --workers a number instead of {workers}")
        label_stream(timeout=timeout, workers=workers, allow_weak=allow_weak_isolation)
    elif problems and completions and out:
        label_files(
            problems=problems,
            completions=completions,
            out=out,
            timeout=timeout,
            workers=workers,
            allow_weak=allow_weak_isolation,
        )
    else:
        raise MucodeError("label needs --problems, --completions and --out, or --stream")


def workspace(*, size: str, folder: Path | None = None) -> None:
    """Make the folder in which another size runs, without running it.

    Parameters
    ----------
    size:
        A file of profiles/, such as full or study/main; one+other lays one over the other.
    folder:
        Where, in an empty folder or one that was made so before; runs/SIZE if not given.
    """
    from mucode.workspace import make_workspace

    sys.stdout.write(f"{make_workspace(size, Path.cwd(), folder)}\n")


def doctor(*, timeout: float = 5.0, allow_weak_isolation: bool = False) -> None:
    """What this machine offers for running programs safely, and whether it holds.

    Parameters
    ----------
    timeout:
        Wall seconds that each trial may take.
    allow_weak_isolation:
        Count system-call filters alone as good enough.
    """
    from mucode.execution.doctor import doctor as examine
    from mucode.label.files import check_limits

    check_limits(timeout, workers=None)
    findings = examine(timeout, allow_weak_isolation)
    for finding in findings:
        sys.stdout.write(f"{'ok  ' if finding.right else 'NO  '}{finding.subject}: {finding.text}\n")
    if any(finding.needed and not finding.right for finding in findings):
        raise MucodeError("no labels can be made here: mend the lines above that begin with NO")


def track() -> None:
    """Send MLflow what stages have noted for it while it was down or while a flow ran."""
    from mucode.tracking import send_records

    sys.stdout.write(f"sent {send_records(Path())} records\n")


def app() -> App:
    """The commands; what each needs is imported when it runs."""
    root = App(
        name="mucode",
        version=__version__,
        help="µCode: multi-turn code generation through single-step rewards.",
        help_format="plaintext",  # the list of commands has no marks: importing rich.markdown would double its time
        result_action="return_value",
    )
    stages = App(
        name="stage", help_format="markdown", help="Run one stage of dvc.yaml, which shows the order and the paths."
    )
    for name in STAGES:
        stages.command(f"mucode.stages:{name}", name=name)
    root.command(stages)
    for command in (label, workspace, doctor, track):
        root.command(command, help_format="markdown")
    for name, (place, text) in TOOLS.items():
        root.command(place, name=name, help_format="markdown", help=text)
    return root


def main() -> None:
    """Run one command; an error that a person can act on is one sentence and a non-zero exit code."""
    die_with_run()
    # Arithmetic threads that wait should sleep, not spin: more than twice as fast beside other work (docs/log.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("mucode").setLevel(logging.INFO)
    try:
        app()()
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        sys.exit(getattr(error, "exit_code", 1))
    except OSError as error:
        sys.stderr.write(
            f"mucode: {error.filename or 'the system'}: {error.strerror or error}; mend that and run again\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("mucode: interrupted; run again to continue\n")
        sys.exit(EXIT_INTERRUPTED)
