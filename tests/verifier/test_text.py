import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mucode.prompts import reply_for
from mucode.verifier.text import Reader
from tests.conftest import make_problem
from tests.training.tiny_model import TEMPLATES, tiny_base

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


def test_too_long_an_input_loses_the_problems_front_and_keeps_the_program(tokenizer: Any) -> None:
    problem = dataclasses.replace(make_problem(), text="word " * 1000)
    whole = Reader(tokenizer, 10**6, show_public_tests=True).tokens(problem, "x = 1")
    ids = Reader(tokenizer, 200, show_public_tests=True).tokens(problem, "x = 1")
    assert len(ids) == 200
    assert reply_for("x = 1") in tokenizer.decode(ids)
    assert ids[1:] == whole[-199:]
    assert (ids[0] == tokenizer.bos_token_id) == (whole[0] == tokenizer.bos_token_id)
