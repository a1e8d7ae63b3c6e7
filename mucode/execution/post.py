"""One judge process as the main process sees it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mucode.execution.inside import frames
from mucode.execution.layers import environment
from mucode.execution.orders import Order, Outcome, Setting, order_for
from mucode.execution.processes import RunQueue, end_process, own_processor_seconds
from mucode.execution.selftest import Proof
from mucode.types import MucodeError

_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.append(sys.argv.pop(1)); from mucode.execution.judge import main; main()"
_PATIENCE = 12.0  # timeouts until a judge that does not answer is given up
_DOUBT = 1.5  # seconds after its timeout in which a judge should have answered, and then of watching it compute
_GRACE = 5.0  # seconds more
_START_GRACE = 60.0  # seconds more for one that proves itself, and for the first start of a zygote with numpy
_END_SECONDS = 2.0


class Lost(StrEnum):
    """How a judge was lost."""

    GONE = "gone"
    HELD = "held"  # by a computation of its own that no signal ends: a test's, over what the program returned
    SILENT = "silent"


@dataclass(slots=True)
class Ticket:
    """An order in the queue or at work."""

    number: int
    order: Order
    retries: int = 0
    alone: bool = False


class Post:
    """Starts its judge at once; the self-test comes before any order."""

    def __init__(self, setting: Setting, proofs: list[Proof], processor: int | None = None) -> None:
        self.stream, theirs = socket.socketpair()
        with theirs:
            self.process = _spawn(theirs.fileno(), processor)
        self.run_queue = RunQueue(self.process)
        self.ticket: Ticket | None = None
        self.since = self.waited = 0.0  # when the order was given, and the judge's wait for processors until then
        self.doubt: tuple[float, float] | None = (
            None  # how long it was silent when first overdue, its processor seconds then
        )
        self.proofs = list(proofs)  # still to be passed; an order that comes before waits for it
        with contextlib.suppress(OSError):  # one that is gone by now shows as such when it is heard
            frames.write_message(self.stream.fileno(), setting.to_json())
            self._send(order_for(self.proofs[0].job, "public"))

    def give(self, ticket: Ticket) -> None:
        """Hand over an order. `OSError` when the judge is gone."""
        self.ticket = ticket
        if not self.proofs:
            self._send(ticket.order)

    def hear(self) -> Outcome | Lost | None:
        """The judge's answer to its order; None while it is still proving itself. `MucodeError` when it fails that."""
        try:
            outcome = Outcome.from_json(frames.read_turn(self.stream.fileno()))
            if not self.proofs:
                self.ticket = None
                return outcome
            self._prove(outcome)
        except (frames.WireError, OSError):
            return Lost.GONE
        return None

    def _prove(self, outcome: Outcome) -> None:
        proof = self.proofs.pop(0)
        if outcome.status is not proof.expected:
            what = f"{proof.name}: {outcome.status.value} {outcome.text}".strip()
            raise MucodeError(f"the sandbox failed its self-test ({what}); run `mucode doctor` to see what to do")
        if self.proofs:
            self._send(order_for(self.proofs[0].job, "public"))
        elif self.ticket is not None:
            self._send(self.ticket.order)

    def overdue(self, timeout: float) -> Lost | None:
        """Whether the judge has been silent for too long, not counting when it was ready and got no processor."""
        silent = time.monotonic() - self.since
        if silent <= timeout + _DOUBT:
            return None
        silent -= self.run_queue.seconds() - self.waited
        inputs = len(self.ticket.order.tests) if self.ticket is not None and self.ticket.order.kind == "stdio" else 1
        if silent > timeout + _DOUBT:
            used = own_processor_seconds(self.process)
            since, before = self.doubt = self.doubt or (silent, used)
            if silent - since > _DOUBT and used - before > 0.5 * (silent - since):
                return Lost.HELD
        numpy = self.ticket is not None and self.ticket.order.numpy
        grace = _START_GRACE if self.proofs or numpy else _GRACE
        return Lost.SILENT if silent > _PATIENCE * timeout * inputs + grace else None

    def hang_up(self) -> None:
        """Ask the judge to end."""
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See the judge end; its zygotes end with it."""
        self.hang_up()
        self.stream.close()
        self.run_queue.close()
        end_process(self.process, _END_SECONDS if self.ticket is None else 0.0)

    def _send(self, order: Order) -> None:
        self.since, self.doubt = time.monotonic(), None
        self.waited = self.run_queue.seconds()
        frames.write_all(self.stream.fileno(), order.message)


def _spawn(stream: int, processor: int | None) -> int:
    command = [sys.executable, "-S", "-s", "-P", "-W", "ignore", "-c", _START, _ROOT, "3"]
    command += [] if processor is None else [str(processor)]
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)
    actions = [null, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, stream, 3)]
    return os.posix_spawn(command[0], command, environment("/"), file_actions=actions, setsid=True)
