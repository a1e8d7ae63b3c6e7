"""Runs the child's whole path a few times before the first fork.

The interpreter adapts code to the values it meets by writing into it; a page written before the fork is shared by every
child, one written after it is copied by each.
"""

from __future__ import annotations

import os
import socket
import sys

from . import frames
from .child import Conversation

_TIMES = 20
_PROGRAM = """
from typing import List
def f(x: List[int], y=0):
    print(x)
    if y == 1:
        raise ValueError("x")
    return [str(x), {"a": 1.5, (1, 2): None}, {1, 2}, y]
"""
_CALLS = [["f", [[1, 2], 0]], ["f", ["text", 2]], ["f", [{"d": ["a", {"t": [1, 2]}]}, 1]]]
_REQUESTS = [
    ["load", _PROGRAM, "import math\ndef helper(x):\n    return x\n", ["f"], True, _CALLS],
    ["do", "call", [{"h": 0}, [3, 1, 2]], {"y": 3}],
    ["output"],
]


def rehearse() -> None:
    """Leaves nothing behind but a warm interpreter."""
    keep, limit, (ours, theirs) = sys.stdout, sys.getrecursionlimit(), socket.socketpair()
    with ours, theirs:
        for _ in range(_TIMES):
            conversation = Conversation()
            conversation.descriptor = theirs.fileno()
            for request in _REQUESTS:
                frames.write_message(ours.fileno(), request)
                conversation.answer(conversation.unpacked(frames.read_turn_body(theirs.fileno())))
                os.read(ours.fileno(), 1 << 16)
    sys.stdout = keep
    sys.setrecursionlimit(limit)
    sys.modules.pop("solution", None)
