"""The judge's end against a peer that speaks the wire and answers what no program's side would."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from mucode.execution.channel import Channel, Ended
from mucode.execution.clock import Clock
from mucode.execution.inside import frames
from mucode.execution.proxy import Handle
from mucode.execution.session import Session
from mucode.types import Status


def answering(peer: socket.socket, answers: list[Any]) -> None:
    """One answer to each message, whatever it asks."""
    stream = peer.makefile("rwb")
    for answer in answers:
        size = int.from_bytes(stream.read(frames.HEADER), "big")
        stream.read(size)
        stream.write(frames.pack(answer))
        stream.flush()


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def session_with(sockets: tuple[socket.socket, socket.socket], answers: list[Any]) -> Session:
    ours, theirs = sockets
    threading.Thread(target=answering, args=(theirs, answers), daemon=True).start()
    return Session(Channel(ours, Clock(60.0, lambda: 0.0), theirs.fileno()))


def handle(session: Session, number: int) -> Handle:
    return Handle(session, {"h": number})


@pytest.mark.parametrize("changes", [[[9]], [[9], [9], [9]]])
def test_an_answer_with_other_changes_than_there_were_containers_ends_the_conversation(
    sockets: tuple[socket.socket, socket.socket], changes: list[Any]
) -> None:
    session = session_with(sockets, [["value", 1, changes, {}]])
    with pytest.raises(Ended) as ended:
        session.do("call", (handle(session, 1), [1], [2]), {})
    assert ended.value.status is Status.ERROR
    assert session.ended is ended.value


def test_a_bad_answer_to_what_is_given_back_ends_the_conversation_however_a_test_goes_on(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    session = session_with(sockets, [["value", {"l": [1]}, [], {}], ["no", "answer"]])
    children = session.do("getattr", (handle(session, 1), "children"), {})
    children.append(2)
    with pytest.raises(Ended):
        session.do("len", (handle(session, 1),), {})
    assert session.ended is not None


@pytest.mark.parametrize("news", [[], None, {"f": {"h": ["x", 1]}}])
def test_a_callback_with_bad_news_ends_the_conversation(
    sockets: tuple[socket.socket, socket.socket], news: Any
) -> None:
    session = session_with(sockets, [["callback", 0, [], {}, news]])
    session.names, session.namespace = ("f",), {"f": 1}
    called: list[int] = []
    session.crossing.callbacks.append(lambda: called.append(1))
    with pytest.raises(Ended):
        session.do("call", (handle(session, 1),), {})
    assert session.ended is not None
    assert called == []


def test_an_exit_of_a_test_s_function_is_nothing_that_the_program_can_raise_something_over(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    session = session_with(sockets, [["value", [1], [], {}], ["callback", 0, [], {}, {}]])
    children = session.do("getattr", (handle(session, 1), "children"), {})

    def says_no() -> None:
        children.append(2)
        raise SystemExit("wrong")

    session.crossing.callbacks.append(says_no)
    with pytest.raises(SystemExit):
        session.do("call", (handle(session, 1),), {})


def test_a_closed_session_is_freed_though_it_was_answered_with_a_handle(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    session = session_with(sockets, [["value", {"h": [2, "object"]}, [], {}]])
    gc.disable()
    try:
        session.look("str", handle(session, 1))
        gone = weakref.ref(session)
        session.close()
        del session
        assert gone() is None
    finally:
        gc.enable()
