"""The engine against a small real server: order, retries, failures, and where a reply ends."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.generator.server_engine import Adapter, ServerGenerator
from mucode.generator.stopping import StopRule, cut_text
from mucode.generator.tokens import prompt_tokens
from mucode.programs import closes_fence
from mucode.prompts import chat, reply_for
from mucode.rollout import play
from mucode.schedule import Streaming
from mucode.serving.endpoint import Endpoint, Patience, ServerGone
from mucode.types import MucodeError, Sampling, State
from tests.conftest import TabularSandbox, make_problem
from tests.serving.scripted_server import DROP, END, Letters, Script, encoded, serving

LONG = Sampling(0.7, 0.9, 400)
STATES = [State(make_problem(name)) for name in "abcdefgh"]
SEEDS = list(range(100, 108))
QUICK = Patience(attempts=4, first_delay=0.01, longest_delay=0.02, request_seconds=5.0)
ENDS = frozenset({END})


@contextmanager
def generator(script: Script, **options: Any) -> Iterator[ServerGenerator]:
    with serving(script) as url:
        yield ServerGenerator(partial(Endpoint, url, patience=QUICK), Letters(), ENDS, **options)


def asks_for(name: str, body: dict[str, Any]) -> bool:
    return f"Write the function {name}." in "".join(map(chr, body["prompt"]))


def program_of(prompt: str) -> str:
    """A program named as the last function that a prompt asks for."""
    name = prompt.rpartition("Write the function ")[2][0]
    return reply_for(f"def {name}(x):\n    return x")


def test_replies_come_in_the_order_of_the_states_whatever_order_they_finish_in() -> None:
    slow_first = Script(program_of, delay=lambda body: time.sleep(0.1 if asks_for("a", body) else 0.0))
    with generator(slow_first) as it:
        programs = [completion.program for completion in it.generate(STATES, SEEDS, LONG)]
    assert [program.strip() for program in programs if program] == [f"def {n}(x):\n    return x" for n in "abcdefgh"]


def test_the_server_reads_the_tokens_of_our_chat_and_the_sampling_of_each_request() -> None:
    script = Script(program_of)
    with generator(script) as it:
        done = it.generate(STATES[:2], SEEDS[:2], LONG)
    prompts = [prompt_tokens(Letters(), chat(state)) for state in STATES[:2]]
    asked = sorted(script.asked(), key=lambda body: int(body["seed"]))
    assert [body["prompt"] for body in asked] == prompts
    assert [body["seed"] for body in asked] == SEEDS[:2]
    assert {(body["temperature"], body["top_p"], body["max_tokens"]) for body in asked} == {(0.7, 0.9, 400)}
    assert {(body["top_k"], body["repetition_penalty"]) for body in asked} == {(0, 1.0)}
    assert [c.prompt_tokens for c in done] == [len(prompt) for prompt in prompts]


def test_public_tests_that_are_not_to_be_shown_are_in_no_prompt() -> None:
    script = Script(program_of)
    with generator(script, show_public_tests=False) as it:
        it.generate(STATES[:1], SEEDS[:1], LONG)
    (body,) = script.asked()
    assert STATES[0].problem.public_tests[0].code not in "".join(map(chr, body["prompt"]))
    assert body["prompt"] == prompt_tokens(Letters(), chat(STATES[0], show_public_tests=False))


def test_a_request_that_fails_twice_is_asked_a_third_time() -> None:
    script = Script(program_of, fault=lambda body, earlier: 500 if earlier < 2 else None)
    with generator(script) as it:
        assert it.generate(STATES[:1], [0], LONG)[0].program is not None
    assert len(script.asked()) == 3


@pytest.mark.parametrize("fault", [DROP, 429, 503])
def test_a_lost_connection_and_a_server_that_is_too_busy_are_passing(fault: int) -> None:
    script = Script(program_of, fault=lambda body, earlier: fault if earlier == 0 else None)
    with generator(script) as it:
        assert [c.program is not None for c in it.generate(STATES, SEEDS, LONG)] == [True] * len(STATES)


@pytest.mark.parametrize(("fault", "times"), [(500, QUICK.attempts), (DROP, QUICK.attempts), (400, 1)])
def test_one_failed_request_cancels_no_other(fault: int, times: int) -> None:
    script = Script(program_of, fault=lambda body, earlier: fault if asks_for("c", body) else None)
    with generator(script) as it, it.open() as stream:
        for ticket, (state, seed) in enumerate(zip(STATES, SEEDS, strict=True)):
            stream.submit(ticket, state, seed, LONG)
        replies = dict(stream)
    failed = {ticket for ticket, reply in replies.items() if reply.completion is None}
    assert (sorted(replies), failed) == (list(range(8)), {2})
    assert replies[2].failure.startswith("toy/c at turn 1: http://127.0.0.1:")
    assert sum(asks_for("c", body) for body in script.asked()) == times


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_loses_the_model_or_refuses_the_key_answers_nobody_any_more(status: int) -> None:
    script = Script(program_of, fault=lambda body, earlier: status if asks_for("c", body) else None)
    with generator(script) as it, it.open() as stream:
        stream.submit(0, STATES[2], 0, LONG)
        with pytest.raises(ServerGone, match=rf"no longer serves toy to us \(status {status}: told to\)"):
            stream.wait()


def test_a_batch_with_a_failed_request_is_an_error_that_names_it_after_all_others_are_done() -> None:
    script = Script(program_of, fault=lambda body, earlier: 503 if asks_for("a", body) else None)
    with generator(script) as it, pytest.raises(MucodeError, match=r"1 of 8 replies .* toy/a at turn 1: .*told to"):
        it.generate(STATES, SEEDS, LONG)
    assert len({int(body["seed"]) for body in script.asked()}) == 8


def test_a_server_that_is_down_is_named_with_what_to_run() -> None:
    with serving(Script()) as url:
        pass
    with pytest.raises(MucodeError, match=rf"no model server answers at {url} .*python -m mucode.serving run"):
        ServerGenerator(partial(Endpoint, url), Letters(), ENDS)


def test_a_server_with_other_weights_is_refused() -> None:
    with serving(Script(model="mucode-0123")) as url, pytest.raises(MucodeError, match="offers mucode-0123, not mine"):
        ServerGenerator(partial(Endpoint, url), Letters(), ENDS, model="mine")


@pytest.mark.parametrize("base", ["toy", "another"])
def test_a_server_with_the_base_is_asked_to_load_the_adapters(base: str, tmp_path: Path) -> None:
    script = Script(program_of, loads_adapters=True)
    if base == "another":
        with (
            pytest.raises(MucodeError, match="offers toy, not mine"),
            generator(script, model="mine", adapter=Adapter(tmp_path, base)),
        ):
            pass
        assert script.adapters == []
        return
    with generator(script, model="mine", adapter=Adapter(tmp_path, base)) as it:
        it.generate(STATES[:1], [0], LONG)
    assert script.adapters == [{"lora_name": "mine", "lora_path": str(tmp_path)}]
    assert [body["model"] for body in script.asked()] == ["mine"]


def test_a_server_that_loads_no_adapters_is_told_how_it_would(tmp_path: Path) -> None:
    refused = r"does not load the adapter .*: start it with --enable-lora"
    with pytest.raises(MucodeError, match=refused), generator(Script(), model="mine", adapter=Adapter(tmp_path, "toy")):
        pass


def test_a_prompt_that_leaves_no_room_for_its_reply_is_refused_before_it_is_sent() -> None:
    script = Script(program_of, context=500)
    with generator(script) as it, pytest.raises(MucodeError, match=r"toy/a at turn 1: .* served context of 500"):
        it.generate(STATES, SEEDS, LONG)
    assert script.asked() == []


def test_a_request_waits_for_the_server_to_come_back_and_fails_when_it_will_not() -> None:
    asked: list[str] = []

    def lifeline() -> None:
        asked.append("is it coming back?")
        if len(asked) == 2:
            raise MucodeError("it ended for good")

    script = Script(program_of, fault=lambda body, earlier: DROP)
    with serving(script) as url:
        it = ServerGenerator(partial(Endpoint, url, patience=QUICK, lifeline=lifeline), Letters(), ENDS)
        with pytest.raises(MucodeError, match="it ended for good"):
            it.generate(STATES[:1], [0], LONG)
    assert len(asked) == len(script.asked()) == 2


def test_no_more_requests_are_under_way_than_allowed() -> None:
    three = threading.Barrier(3)
    script = Script(program_of, delay=lambda body: three.wait(10.0))
    with generator(script, in_flight=3) as it:
        it.generate([*STATES, STATES[0]], [*SEEDS, 0], LONG)
    assert script.most_at_once == 3


def test_a_stream_gives_a_reply_when_it_is_there_and_takes_more_meanwhile() -> None:
    now = threading.Event()
    script = Script(program_of, delay=lambda body: asks_for("a", body) and now.wait(10.0))
    with generator(script) as it, it.open() as stream:
        stream.submit(0, STATES[0], 0, LONG)
        stream.submit(1, STATES[1], 1, LONG)
        assert [ticket for ticket, _ in stream.wait()] == [1]
        stream.submit(2, STATES[2], 2, LONG)
        assert [ticket for ticket, _ in stream.wait()] == [2]
        assert stream.wait(timeout=0.01) == []
        now.set()
        assert [ticket for ticket, _ in stream] == [0]
        assert stream.wait() == []
        assert stream.clock.idle_share == 0.0


def test_who_leaves_a_stream_does_not_wait_for_its_replies() -> None:
    never, arrived, ended = threading.Event(), threading.Event(), threading.Event()

    def delay(_body: dict[str, Any]) -> None:
        arrived.set()
        never.wait(20.0)
        ended.set()

    with generator(Script(program_of, delay=delay)) as it:
        with it.open() as stream:
            stream.submit(0, STATES[0], 0, LONG)
            assert arrived.wait(10.0)
        assert not ended.is_set()
        never.set()


FENCES = ["```", "```python", "````", "~~~", " ```", "x = 1", "Sure:", "", "    ```", "```\n\nDone.", "``", "\x01"]


@pytest.mark.parametrize("most", [7, 60])
def test_a_reply_ends_where_the_rule_of_all_engines_ends_it(most: int) -> None:
    draw = random.Random(0)
    texts = {f"n{n}": "\n".join(draw.choices(FENCES, k=draw.randrange(9))) for n in range(60)}
    script = Script(lambda prompt: texts.get(prompt.rpartition("Write the function ")[2].partition(".")[0], ""))
    with generator(script) as it:
        done = it.generate([State(make_problem(name)) for name in texts], range(60), replace(LONG, max_new_tokens=most))
    rule = StopRule(Letters(), ENDS)
    expected = [rule.cut([], encoded(text + chr(END))[:most])[0] for text in texts.values()]
    assert [(c.reply, c.completion_tokens) for c in done] == [(rule.text(some), len(some)) for some in expected]
    assert len(script.asked()) > 60  # a bare opening fence stops the server, too: such replies were continued


def test_a_reply_that_a_bare_opening_fence_stopped_is_continued_with_what_it_said() -> None:
    script = Script(lambda prompt: "Here:\n```\nx = 1\n```\nAnd so on.")
    with generator(script) as it:
        (completion,) = it.generate(STATES[:1], [0], LONG)
    first, second = script.asked()
    assert completion.reply == "Here:\n```\nx = 1\n```"
    assert second["prompt"] == first["prompt"] + encoded("Here:\n```\n")
    assert second["max_tokens"] == LONG.max_new_tokens - len("Here:\n```\n")


def test_the_probability_of_a_reply_is_that_of_its_own_tokens() -> None:
    with generator(Script(program_of), log_probabilities=True) as it, it.open() as stream:
        stream.submit(0, STATES[0], 0, LONG)
        ((_, reply),) = stream.wait()
    assert reply.completion is not None
    assert reply.completion.log_probability == pytest.approx(-0.5 * reply.completion.completion_tokens)


def test_what_a_server_cannot_do_is_recorded_and_its_texts_are_cut_here() -> None:
    found = {}
    for names, takes in ((True, True), (False, True), (False, False)):
        script = Script(lambda prompt: f"{program_of(prompt)}\nAnd so on.", names_tokens=names, takes_tokens=takes)
        with generator(script) as it:
            (completion,) = it.generate(STATES[:1], [0], LONG)
        found[it.record.prompts, it.record.ends] = completion.reply.rstrip()
        assert it.record.seed_scope == it.seed_scope == "none"
    whole = reply_for("def a(x):\n    return x")
    assert found == {
        ("token ids", "at a token"): whole,
        ("token ids", "in the text"): whole,
        ("text", "in the text"): whole,
    }


@given(st.lists(st.sampled_from(FENCES), max_size=9).map("\n".join))
def test_a_cut_text_is_the_shortest_run_of_whole_lines_that_closes_a_block(text: str) -> None:
    cut = cut_text(text)
    assert text.startswith(cut)
    assert closes_fence(cut) == closes_fence(text)
    assert cut == text or not closes_fence("".join(cut.splitlines(keepends=True)[:-1]))


def test_the_schedule_without_barriers_drives_a_server() -> None:
    script = Script(program_of, fault=lambda body, earlier: 400 if asks_for("c", body) else None)
    problems = [state.problem for state in STATES]
    with generator(script) as it:
        assert isinstance(it, Streaming)
        done = play(
            problems, it, TabularSandbox(), turns=2, rollouts=2, sampling=LONG, seed=0, iteration=1, schedule="arrival"
        )
    assert [(e.problem_id, len(e.turns)) for e in done.episodes] == [
        (problem.id, 2) for problem in problems if problem.id != "toy/c" for _ in range(2)
    ]
    assert [failed.problem_id for failed in done.failed] == ["toy/c", "toy/c"]
