"""`make study`: the pieces of the study one after the other, each through its flow; and the page after each.

What is finished is kept: DVC runs nothing twice, a stopped stage goes on from its finished shards, and pieces share the
repository's cache. Smaller profiles laid over the pieces write their page below runs/, never into docs/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from flows.quickstart import INTERRUPTED
from mucode.config import load_config
from mucode.processes import tied
from mucode.study.collected import collect, read_study, require_model
from mucode.study.meter import metered
from mucode.study.page import write_results
from mucode.study.pieces import PIECES, Piece, chosen
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, make_workspace, sizes


def main() -> int:
    """Run the pieces asked for; 0 if every part of every one succeeded."""
    options = _options()
    try:
        for piece in chosen(options.pieces):
            if code := run_piece(piece, options.over, Path.cwd()):
                return code
    except MucodeError as error:
        sys.stderr.write(f"mucode: {error}\n")
        return 1
    except OSError as error:
        what = error.filename or "the system"
        sys.stderr.write(f"mucode: {what}: {error.strerror or error}; mend that and run again\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("mucode: stopped; what is finished is kept, run again to continue\n")
        return INTERRUPTED
    return 0


def run_piece(piece: Piece, over: str, root: Path) -> int:
    """Bring one piece up to date, keep its small files and write the page anew; the flow's exit code.

    What has run is kept even if something after it failed, such as the registration.

    Raises:
        MucodeError: there is no such size, the collected pieces are of another model, or a file of the finished piece
            is missing.
    """
    size, documents = piece.size(over), documents_of(over, root)
    workspace = make_workspace(size, root)
    if any((documents / "study").glob("*/params.yaml")):
        first, *_ = read_study(documents / "study")
        require_model(documents / "study", first, load_config(workspace / "params.yaml"))
    _say(f"\n{piece.name}: {piece.decides}\n")
    with metered(workspace):
        done = subprocess.run(tied([sys.executable, "-m", "flows.quickstart", "--size", size]), cwd=root, check=False)
    if done.returncode and not up_to_date(workspace):
        return done.returncode
    collect(workspace, documents / "study" / piece.name)
    write_results(documents / "study", documents)
    _say(f"results: {documents / 'results.md'}\n")
    return done.returncode


def up_to_date(workspace: Path) -> bool:
    """Whether every stage of the workspace is done."""
    status = subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"], cwd=workspace, check=False)
    return status.returncode == 0


def documents_of(over: str, root: Path) -> Path:
    """Where the page and the pieces' small files go: what claims nothing stays out of docs/."""
    return root / "docs" if over == DEFAULT else root / "runs" / f"study-docs+{over}"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mucode study", description=__doc__)
    names = ", ".join(piece.name for piece in PIECES)
    parser.add_argument("pieces", nargs="*", help=f"of {names} (default: all, in this order)")
    profiles = ", ".join(size for size in sizes(Path.cwd()) if "/" not in size)
    parser.add_argument("--over", default=DEFAULT, help=f"a profile laid over each: {profiles} (default: none)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
