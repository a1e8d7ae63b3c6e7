"""`make quickstart`: the retrain flow from a standing start, against a Prefect server of its own, and what came out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.graph import require_git
from flows.remotes import inherit, on_one_disk
from flows.server import Server, prefect_server, settings, wait_until_up, watched
from mucode.config import load_config
from mucode.processes import held
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, make_workspace, place_of, sizes

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> int:
    """Run the flow for a size; 0 if every part of it succeeded."""
    options = _options()
    started = time.monotonic()
    try:
        workspace = place_of(options.size, Path.cwd(), options.folder)
        require_git(workspace)
        with the_only_start(workspace):
            announce(workspace)
            made_ready(options.size, Path.cwd(), options.folder)
            sys.stderr.write(on_one_disk(workspace))
            run(workspace)
    except MucodeError as error:
        return _end(1, f"mucode: {error}")
    except OSError as error:
        return _end(1, f"mucode: {error.filename or 'the system'}: {error.strerror or error}; mend that and run again")
    except KeyboardInterrupt:
        return _end(INTERRUPTED, "mucode: stopped; what is finished is kept, run again to continue")
    say(summary(workspace, ui_command(options), time.monotonic() - started))
    return 0


@contextlib.contextmanager
def the_only_start(workspace: Path) -> Iterator[None]:
    """What is held from before a workspace is made ready to the end of the run, and by none but one.

    Raises:
        MucodeError: another one has it.
    """
    refusal = f"a run is going on in {workspace} already: wait for it, or stop it first"
    with held(workspace / ".mucode/quickstart.lock", refusal):
        yield


def announce(workspace: Path) -> None:
    """Say what is about to happen, before anything is imported or started that takes its time."""
    sys.stderr.write(
        f"a run in {workspace}: first Prefect starts (up to a minute on a busy machine), then the stages\n"
    )
    sys.stderr.flush()


def made_ready(size: str, root: Path, folder: Path | None) -> Path:
    """The workspace to run in. A folder elsewhere can be thrown away whole, so nothing of it goes to our remotes.

    Raises:
        MucodeError: as `make_workspace`.
    """
    workspace = make_workspace(size, root, folder)
    if folder is None:
        inherit(workspace, root)
    load_config(workspace / "params.yaml")
    return workspace


def run(workspace: Path) -> None:
    """Run the retrain flow in this process, against a server that ends with it.

    Raises:
        MucodeError: the sentence of whatever part failed.
    """
    with prefect_server(workspace) as server:
        os.environ.update(settings(workspace, server.url))
        state = _retrained(workspace, server)
    if not state.is_completed():
        raise MucodeError(state.message or f"the flow ended as {state.name}")


def _retrained(workspace: Path, server: Server) -> State[Any]:
    """The flow's final state. What is imported here reads its settings on import, meanwhile the server starts."""
    with watched(server, lambda: _abort(server)):
        from prefect import tags
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        from flows.recovery import mark_crashed
        from flows.retrain import retrain

        wait_until_up(server, "the Prefect server", f"{server.api}/health")
        try:
            mark_crashed(tag="quickstart")
            with tags("quickstart"):
                state: State[Any] = retrain(workspace, return_state=True)
        finally:  # while there is a server to tell; else they would try for a minute after its end
            EventsWorker.drain_all(timeout=10)
            APILogWorker.drain_all(timeout=10)
    return state


def summary(workspace: Path, ui: str, seconds: float) -> str:
    """What a person wants to know at the end: the table, the report, the way to the UIs."""
    from flows.reports import REPORT
    from flows.retrain import TABLE

    table = (workspace / TABLE).read_text(encoding="utf-8")
    return (
        f"\n{table.strip()}\n\n"
        f"report:  {workspace / REPORT}\n"
        f"UIs:     `{ui}` opens Prefect (runs) and MLflow (metrics, registry)\n"
        f"time:    {seconds / 60:.1f} min\n"
    )


def ui_command(options: argparse.Namespace) -> str:
    """What opens the UIs of the workspace that these options name."""
    if options.folder:
        return f"python -m flows.ui --size {options.size} --folder {options.folder}"
    return "make ui" if options.size == DEFAULT else f"make ui SIZE={options.size}"


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _abort(server: Server) -> None:
    """End at once, from a thread: without its server the flow could only hang; its children go with this process."""
    sys.stderr.write(f"mucode: the Prefect server is gone ({server.log} may say why); run again to continue\n")
    sys.stderr.flush()
    os._exit(1)


def _end(code: int, sentence: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.quickstart", description=__doc__)
    parser.add_argument("--size", default=DEFAULT, help=f"one of {', '.join(sizes(Path.cwd()))} (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="a workspace elsewhere, with a cache of its own")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
