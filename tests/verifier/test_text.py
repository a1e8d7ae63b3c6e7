import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mucode.prompts import reply_for
from mucode.verifier.text import Reader
from tests.conftest import make_problem
from tests.training.tiny_model import LLAMA, TEMPLATES, tiny_base

pytestmark = pytest.mark.slow  # imports torch


@pytest.fixture(scope="module", params=sorted(TEMPLATES))
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from mucode.training.weights import load_tokenizer

    folder: Path = tmp_path_factory.mktemp("base")
    return load_tokenizer(tiny_base(folder, request.param))


def test_the_verifier_reads_problem_public_tests_and_program(tokenizer: Any) -> None:
    problem = make_problem("double")
    text = tokenizer.decode(Reader(tokenizer, 2048, show_public_tests=True).tokens(problem, "x = 1"))
    assert problem.text in text
    assert problem.public_tests[0].code in text
    assert text.count(reply_for("x = 1")) == 1


def test_public_tests_can_be_left_out(tokenizer: Any) -> None:
    problem = make_problem("double")
    text = tokenizer.decode(Reader(tokenizer, 2048, show_public_tests=False).tokens(problem, "x = 1"))
    assert problem.public_tests[0].code not in text


def test_there_is_one_beginning_of_text_at_most(tokenizer: Any) -> None:
    ids = Reader(tokenizer, 2048, show_public_tests=True).tokens(make_problem(), "x = 1")
    template_writes_it = "bos_token" in tokenizer.chat_template
    assert ids.count(tokenizer.bos_token_id) == int(template_writes_it)


def test_a_control_token_spelled_out_in_a_program_is_text(tokenizer: Any) -> None:
    """A program cannot close its turn and speak to the verifier as somebody else."""
    reader = Reader(tokenizer, 2048, show_public_tests=True)
    end = tokenizer.eos_token
    plain, sly = (reader.tokens(make_problem(), f"print('{word}')") for word in ("", end))
    assert sly.count(tokenizer.eos_token_id) == plain.count(tokenizer.eos_token_id)
    assert f"print('{end}')" in tokenizer.decode(sly)


def test_a_template_that_writes_the_date_gives_equal_scores_on_all_days(tokenizer: Any) -> None:
    if tokenizer.chat_template != LLAMA:
        pytest.skip("this template writes no date")
    dated = type(tokenizer)(
        tokenizer_object=tokenizer.backend_tokenizer,
        chat_template=LLAMA + "{{- strftime_now('%d %b %Y') -}}",
        bos_token=tokenizer.bos_token,
    )
    ids = Reader(dated, 2048, show_public_tests=True).tokens(make_problem(), "x = 1")
    assert dated.decode(ids).endswith("26 Jul 2024")


def test_too_long_an_input_loses_the_problems_front_and_keeps_the_program(tokenizer: Any) -> None:
    problem = dataclasses.replace(make_problem(), text="word " * 1000)
    whole = Reader(tokenizer, 10**6, show_public_tests=True).tokens(problem, "x = 1")
    ids = Reader(tokenizer, 200, show_public_tests=True).tokens(problem, "x = 1")
    assert len(ids) == 200
    assert reply_for("x = 1") in tokenizer.decode(ids)
    assert ids[1:] == whole[-199:]
    assert (ids[0] == tokenizer.bos_token_id) == (whole[0] == tokenizer.bos_token_id)
