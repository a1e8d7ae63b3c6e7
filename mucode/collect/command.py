"""`mucode collect`: the drop folder examined, what is accepted added to the versioned file, the rest listed with reasons.

The drop folder is only read, and both files are written whole from what lies there and what was accepted before: run it
twice, or kill it anywhere and run it again, and the files are the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.collect.examine import Examined, examine
from mucode.collect.incoming import Arrival, arrivals, fetch_revision
from mucode.collect.version import require_version
from mucode.config import Config, load_config
from mucode.hub import patient
from mucode.problems import SOURCES, load_problems, local_path
from mucode.problems.collected import COLLECTED_FILE
from mucode.problems.collected import load as load_collected
from mucode.problems.gold import PATIENCE
from mucode.problems.similarity import Exercise
from mucode.processes import held
from mucode.records import written_whole

INCOMING = Path("data/incoming")
QUARANTINE = Path("data/quarantine.jsonl")
TAKEN_OUT = Path("data/taken_out.jsonl")  # lines that a person moved there from the collected file
_BUSY = "another `mucode collect` is at work here: wait for it"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Collection:
    """What one call did."""

    accepted: int
    refused: int
    known: int  # rows that were accepted before, also if they were taken out since, or came twice
    total: int  # collected problems afterwards


def collect(*, hub: str | None = None, dry_run: bool = False) -> Collection:
    """Examine new problems, and add those that pass to the training set; cli.COLLECT says what a caller must know.

    Parameters
    ----------
    hub:
        A data set's revision, ORG/NAME@COMMIT, to put into the drop folder data/incoming/ first.
    dry_run:
        Say what would be accepted and refused, and why; write nothing but the drop folder.
    """
    from mucode.execution import open_sandbox
    from mucode.stages import allow_weak

    config = load_config()
    with held(Path(".mucode/collect.lock"), _BUSY):
        require_version(Path())
        if hub is not None:
            fetch_revision(hub, INCOMING)
        before = load_collected()
        came = arrivals(INCOMING)
        new = _unknown(came, (*before, *load_collected(TAKEN_OUT)))
        examined: list[Examined] = []
        if new:
            training, held_out = known_sets(config, before)
            timeout = config.execution.timeout
            with open_sandbox(timeout=PATIENCE * timeout, allow_weak=allow_weak()) as sandbox:
                examined = examine(new, training, held_out, sandbox, timeout)
        if not dry_run:
            _write(examined)
    return _told(examined, known=len(came) - len(new), before=len(before))


def known_sets(config: Config, collected: Sequence[Exercise]) -> tuple[list[Exercise], dict[str, list[Exercise]]]:
    """What trains already, and every set of ours that something is measured on, whether this run uses it or not.

    Raises:
        MucodeError: one of them cannot be had; nothing is accepted unchecked.
    """
    training, held_out = list(collected), {}
    for source in SOURCES:
        if source == "collected":
            continue
        with patient():
            pairs = load_problems(source, local_path(config.problems.files, source))
        if source == config.problems.source:
            training += [pair for pair in pairs if pair[0].split == "train"]
        for split in ("validation", "test"):
            if of_split := [pair for pair in pairs if pair[0].split == split]:
                held_out[f"{source}/{split}"] = of_split
    return training, held_out


def _unknown(came: Iterable[Arrival], before: Iterable[Exercise]) -> list[Arrival]:
    """Each exercise that was not accepted before, once, and all that is none."""
    seen = {problem.id for problem, _ in before}
    new = []
    for arrival in came:
        identifier = arrival.exercise[0].id if arrival.exercise else ""
        if identifier not in seen:
            new.append(arrival)
        if identifier:
            seen.add(identifier)
    return new


def _write(examined: Sequence[Examined]) -> None:
    refused = [one.refusal() for one in examined if one.reasons]
    accepted = [one.arrival.row for one in examined if not one.reasons]
    if refused:
        _write_whole(QUARANTINE, _lines(refused))
    else:
        QUARANTINE.unlink(missing_ok=True)
    if accepted:
        kept = COLLECTED_FILE.read_bytes() if COLLECTED_FILE.exists() else b""
        ended = b"" if kept.endswith(b"\n") or not kept else b"\n"
        _write_whole(COLLECTED_FILE, kept + ended + _lines(accepted))


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def _write_whole(path: Path, content: bytes) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(content)


def _told(examined: Sequence[Examined], known: int, before: int) -> Collection:
    for one in examined:
        if one.reasons:
            logger.info("refused: %s: %s", one.arrival.origin, "; ".join(one.reasons))
    accepted = sum(not one.reasons for one in examined)
    done = Collection(accepted, len(examined) - accepted, known, before + accepted)
    logger.info("%d accepted, %d refused, %d known before; %d in all", done.accepted, done.refused, known, done.total)
    if done.refused:
        logger.info("%s says why: correct the rows in %s and run again", QUARANTINE, INCOMING)
    return done
