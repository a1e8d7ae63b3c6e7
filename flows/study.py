"""`make study`: the pieces of the study one after the other, each through its flow; and the page after each. `make results`:
the page from what they have finished so far, also while they run.

What is finished is kept: DVC runs nothing twice, a stopped stage goes on from its finished shards, and pieces share the
repository's cache. Smaller profiles laid over the pieces write their page below runs/, never into docs/.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.quickstart import INTERRUPTED, the_only_start
from mucode.config import parse_config
from mucode.processes import held, tied
from mucode.study.collected import CLOSED, collect, is_current, read_collected, read_study, require_model, why_closed
from mucode.study.meter import metered
from mucode.study.page import write_results
from mucode.study.pieces import PIECES, Piece, chosen
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, folder_of, make_workspace, parameters, place_of, sizes
from mucode.yaml_files import load_yaml


def main() -> int:
    """Run the pieces asked for; 0 if every part of every one succeeded."""
    options = _options()
    try:
        pieces = chosen(options.pieces)
        if options.keep:
            keep(pieces if options.pieces else [], options.over, Path.cwd())
            return 0
        with the_only_study(options.over, Path.cwd()):
            return next((code for piece in pieces if (code := run_piece(piece, options.over, Path.cwd()))), 0)
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


@contextlib.contextmanager
def the_only_study(over: str, root: Path) -> Iterator[None]:
    """What a study holds from its first piece to its last: two would run the same pieces and write the same page.

    Raises:
        MucodeError: another one is at work.
    """
    documents = documents_of(over, root)
    refusal = f"a study that writes to {documents} is at work already: wait for it, or stop it first"
    with held(root / f".mucode/{documents.name}-study.lock", refusal):
        yield


def run_piece(piece: Piece, over: str, root: Path) -> int:
    """Bring one piece up to date, keep its small files and write the page anew; 0 if all of it has run, or it is closed.

    What has run is kept even if something failed, such as one of several searches or the registration.

    Raises:
        MucodeError: before anything is written: there is no such size, the collected pieces are of another model, the
            piece was kept from a workspace that is not here, or another run is going on in its workspace. Afterwards: a
            file of what has run is missing, or its searches are others than those kept.
    """
    size, documents = piece.size(over), documents_of(over, root)
    kept = kept_of(piece, over, root)
    if reason := why_closed(kept):
        _say(f"\n{piece.name} is closed: {reason}\n")
        return 0
    require_workspace(kept, folder_of(size, root))
    renew(over, root)
    if any((documents / "study").glob("*/params.yaml")):
        first, *_ = read_study(documents / "study")
        require_model(documents / "study", first, parse_config(load_yaml(parameters(size, root)), root / "params.yaml"))
    with the_only_start(place_of(size, root)):  # that run may have begun with other parameters
        workspace = make_workspace(size, root)
    _say(f"\n{piece.name}: {piece.decides}\n")
    with metered(workspace):
        done = subprocess.run(tied([sys.executable, "-m", "flows.quickstart", "--size", size]), cwd=root, check=False)
    if done.returncode and not (workspace / "dvc.lock").exists():
        return done.returncode
    code = keep_piece(piece, over, root)
    write_page(over, root)
    return code or done.returncode


def require_workspace(kept: Path, workspace: Path) -> None:
    """Refuse to compute again, for hours, what was kept: samples would not come out the same.

    Raises:
        MucodeError: the workspace that the small files in `kept` are of is not here.
    """
    if (kept / "params.yaml").exists() and not (workspace / "dvc.lock").exists():
        raise MucodeError(
            f"{kept} was kept from a workspace that is not here: bring it back (docs/study.md, Where weights and rollouts "
            f"go), or write a sentence why it cannot be into {kept / CLOSED}; to begin anew, move the folder away"
        )


def keep(pieces: Sequence[Piece], over: str, root: Path) -> None:
    """Keep what has run of these pieces (none: of all that have a workspace here), and write the page once.

    Raises:
        MucodeError: as `keep_piece`; or there is nothing to write a page of.
    """
    here = [piece for piece in PIECES if (folder_of(piece.size(over), root) / "dvc.lock").exists()]
    refused: list[MucodeError] = []
    for piece in pieces or here:
        if reason := why_closed(kept_of(piece, over, root)):
            _say(f"{piece.name} is closed: {reason}\n")
            continue
        try:
            keep_piece(piece, over, root)  # that something is still to come is no failure here
        except MucodeError as error:  # the others' page is no worse for it
            refused.append(error)
    if (not pieces and not refused) or any((documents_of(over, root) / "study").glob("*/params.yaml")):
        write_page(over, root)
    if refused:
        raise refused[0]


def keep_piece(piece: Piece, over: str, root: Path) -> int:
    """Keep the small files of what has run of a piece; 0 if all of its searches are there.

    Raises:
        MucodeError: the piece has not begun, or a file of what has run is missing, or other searches were kept.
    """
    kept = kept_of(piece, over, root)
    renew(over, root)
    if not collect(folder_of(piece.size(over), root), kept):
        _say(f"{piece.name}: no search on a test set has run yet\n")
        return 1
    if to_come := read_collected(kept).to_come:
        _say(f"{piece.name} has still to search: {', '.join(to_come)}\n")
    return 1 if to_come else 0


def write_page(over: str, root: Path) -> None:
    """Write the page from all small files that there are."""
    documents = documents_of(over, root)
    write_results(documents / "study", documents)
    _say(f"results: {documents / 'results.md'}\n")


def renew(over: str, root: Path) -> None:
    """Keep anew, as this version does, the small files of pieces that an older one kept and whose workspace is here."""
    for piece in PIECES:
        kept, workspace = kept_of(piece, over, root), folder_of(piece.size(over), root)
        old = (kept / "params.yaml").exists() and not is_current(kept)
        if old and (workspace / "dvc.lock").exists() and not why_closed(kept):
            collect(workspace, kept)


def documents_of(over: str, root: Path) -> Path:
    """Where the page and the pieces' small files go: what claims nothing stays out of docs/."""
    return root / "docs" if over == DEFAULT else root / "runs" / f"study-docs+{over}"


def kept_of(piece: Piece, over: str, root: Path) -> Path:
    """The folder of a piece's small files."""
    return documents_of(over, root) / "study" / piece.name


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.study", description=__doc__)
    names = ", ".join(piece.name for piece in PIECES)
    parser.add_argument("pieces", nargs="*", help=f"of {names} (default: all, in this order)")
    profiles = ", ".join(size for size in sizes(Path.cwd()) if "/" not in size)
    parser.add_argument("--over", default=DEFAULT, help=f"a profile laid over each: {profiles} (default: none)")
    parser.add_argument("--keep", action="store_true", help="run nothing: the page from what has run so far")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
