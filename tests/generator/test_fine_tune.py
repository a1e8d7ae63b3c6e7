import dataclasses
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from mucode.generator.fine_tune import conversations, encode, fine_tune
from mucode.prompts import reply_for
from mucode.training.answers import AnswerLoss, Collate, answer_example
from mucode.training.order import GroupedOrder
from mucode.training.run import Rates, run_training, trainable
from mucode.training.weights import (
    folder_written_whole,
    load_causal_model,
    load_tokenizer,
    load_trained_causal,
    prepare,
    save_weights,
)
from mucode.types import Completion, Demonstration, MucodeError, Status, Turn, Verdict
from tests.conftest import make_problem
from tests.training.tiny_model import TEMPLATES, folder_digests, tiny_base, tiny_settings

pytestmark = pytest.mark.slow  # imports torch

PROBLEM = make_problem("double")
PROGRAM = "def double(x):\n    return 2 * x\n"


def turn(program: str) -> Turn:
    return Turn(Completion(reply_for(program), program), Verdict(Status.FAILED, 0, 1, f"{program} is wrong"))


def demonstration(*history: str, weight: float = 1.0, program: str = PROGRAM) -> Demonstration:
    return Demonstration(PROBLEM.id, tuple(turn(past) for past in history), program, weight)


@pytest.fixture(scope="module", params=sorted(TEMPLATES))
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(tiny_base(tmp_path_factory.mktemp("base"), request.param))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


def test_too_long_a_state_loses_its_oldest_turns_first(tokenizer: Any) -> None:
    short = encode(tokenizer, demonstration("new = 1"), PROBLEM, 4096, True)
    room = len(short.prompt) + len(short.answer)
    encoded = encode(tokenizer, demonstration("old = 1", "new = 1"), PROBLEM, room, True)
    assert encoded == dataclasses.replace(short, shortened=True)


@pytest.mark.parametrize("room", [1, 2, 50])
def test_however_little_room_there_is_the_answer_stays_whole(tokenizer: Any, room: int) -> None:
    whole = encode(tokenizer, demonstration("a = 1"), PROBLEM, 4096, True)
    encoded = encode(tokenizer, demonstration("a = 1"), PROBLEM, len(whole.answer) + room, True)
    assert encoded.answer == whole.answer
    assert len(encoded.prompt) == room
    assert encoded.prompt[-1] == whole.prompt[-1]
    assert encoded.shortened


def test_an_answer_without_room_is_refused_by_its_problem(tokenizer: Any) -> None:
    with pytest.raises(MucodeError, match=r"toy/double.*raise max_tokens"):
        encode(tokenizer, demonstration(), PROBLEM, 20, True)


@pytest.mark.parametrize("shown", [True, False])
def test_the_state_that_is_imitated_shows_public_tests_as_the_rollouts_did(tokenizer: Any, shown: bool) -> None:
    encoded = encode(tokenizer, demonstration("a = 1"), PROBLEM, 4096, shown)
    assert (PROBLEM.public_tests[0].code in tokenizer.decode(encoded.prompt)) is shown


def test_the_states_of_a_rollout_form_a_conversation_and_every_demonstration_is_in_one() -> None:
    states = [(), ("a",), ("b",), ("a", "c"), ("a", "c")]
    data = [demonstration(*history, program=f"y{number}") for number, history in enumerate(states)]
    elsewhere = dataclasses.replace(data[0], problem_id="toy/other")
    assert conversations([*data, elsewhere]) == [[0, 1, 3, 4], [2], [5]]


def loss_of(base: Path, demonstrations: list[Demonstration]) -> torch.Tensor:
    tokenizer = load_tokenizer(base)
    encoded = [encode(tokenizer, d, PROBLEM, 4096, True) for d in demonstrations]
    batch = Collate(shared=True)(
        [answer_example(e.prompt, e.answer, d.weight) for e, d in zip(encoded, demonstrations, strict=True)]
    )
    loss: torch.Tensor = AnswerLoss(load_causal_model(base, "float32"), low_precision=False)(**batch)["loss"]
    return loss


def test_the_loss_is_the_likelihood_of_the_answer_tokens_by_the_whole_models_own_logits(base: Path) -> None:
    """Logits at the targets alone, beginnings computed once: the same as a full forward pass for each state."""
    demonstrations = [demonstration(), demonstration("a = 1", "b = 22", weight=3.0)]
    tokenizer, model = load_tokenizer(base), load_causal_model(base, "float32")
    expected = 0.0
    for one in demonstrations:
        encoded = encode(tokenizer, one, PROBLEM, 4096, True)
        ids = torch.tensor([[*encoded.prompt, *encoded.answer]])
        logs = model(input_ids=ids).logits[0].log_softmax(-1)
        start = len(encoded.prompt)
        expected -= one.weight * sum(logs[start + i - 1, token].item() for i, token in enumerate(encoded.answer))
    assert loss_of(base, demonstrations).item() == pytest.approx(expected / 2, rel=1e-5)


def test_a_weight_of_three_counts_as_three_copies(base: Path) -> None:
    once = [demonstration("a = 1", weight=3.0), demonstration()]
    copies = [demonstration("a = 1")] * 3 + [demonstration()]
    assert loss_of(base, once).item() * 2 == pytest.approx(loss_of(base, copies).item() * 4, rel=1e-5)


def test_a_demonstration_counts_by_its_weight_over_the_mean_weighted_length(base: Path, tmp_path: Path) -> None:
    data = [demonstration("a = 1", weight=3.0, program="def double(x):\n    return x + x + 0"), demonstration()]
    metrics = fine_tune(data, [PROBLEM], base, tiny_settings(epochs=1, max_tokens=2048), 0, tmp_path / "g", True)
    tokenizer = load_tokenizer(base)
    lengths = [len(encode(tokenizer, each, PROBLEM, 4096, True).answer) for each in data]
    scale = (3.0 * lengths[0] + 1.0 * lengths[1]) / 2
    assert lengths[0] != lengths[1]
    assert metrics.losses == pytest.approx(
        [loss_of(base, data).item() / scale], rel=1e-4
    )  # of its one step, the base's


def twenty() -> list[Demonstration]:
    programs = [f"def double(x):\n    return {number}" for number in range(20)]
    return [
        demonstration(*["a = 1"] * (number % 3), weight=1.0 + number % 2, program=program)
        for number, program in enumerate(programs)
    ]


@pytest.mark.parametrize("rank", [8, 0])
def test_on_twenty_examples_the_loss_falls_clearly(base: Path, tmp_path: Path, rank: int) -> None:
    chosen = tiny_settings(epochs=8, lora_rank=rank, max_tokens=2048)
    metrics = fine_tune(twenty(), [PROBLEM], base, chosen, 0, tmp_path / "g", True)
    assert metrics.final_loss < 0.7 * metrics.losses[0]
    assert metrics.demonstrations == 20
    assert metrics.shortened == 0
    assert metrics.shares_prefixes


@pytest.mark.parametrize("rank", [8, 0])
def test_what_was_learned_is_there_after_loading(base: Path, tmp_path: Path, rank: int) -> None:
    """One demonstration learned by heart: the loaded model finds them likelier than the base does."""
    chosen = tiny_settings(epochs=20, lora_rank=rank, max_tokens=2048)
    fine_tune([demonstration()], [PROBLEM], base, chosen, 0, tmp_path / "g", True)
    encoded = encode(load_tokenizer(base), demonstration(), PROBLEM, 4096, True)
    batch = Collate(shared=True)([answer_example(encoded.prompt, encoded.answer, 1.0)])
    before, after = (
        AnswerLoss(load_trained_causal(base, folder, "float32"), low_precision=False)(**batch)["loss"].item()
        for folder in (None, tmp_path / "g")
    )
    assert after < 0.8 * before


@pytest.mark.parametrize("rank", [4, 0])
def test_equal_inputs_give_equal_bytes_and_no_path_of_this_machine(base: Path, tmp_path: Path, rank: int) -> None:
    for name in ("first", "second"):
        chosen = tiny_settings(epochs=1, lora_rank=rank)
        fine_tune(twenty(), [PROBLEM], base, chosen, 0, tmp_path / name, True)
    assert folder_digests(tmp_path / "first") == folder_digests(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert str(base).encode() not in file.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first", "second"]


def test_full_fine_tuning_leaves_a_model_folder_that_transformers_loads_by_itself(base: Path, tmp_path: Path) -> None:
    fine_tune(twenty(), [PROBLEM], base, tiny_settings(epochs=1, lora_rank=0), 0, tmp_path / "g", True)
    alone = load_causal_model(tmp_path / "g", "float32").state_dict()
    ours = load_trained_causal(base, tmp_path / "g", "float32").state_dict()
    assert all(torch.equal(alone[name], ours[name]) for name in ours)
    assert load_tokenizer(tmp_path / "g").chat_template == load_tokenizer(base).chat_template


def test_in_bfloat16_a_trained_model_is_what_transformers_loads_in_it(base: Path, tmp_path: Path) -> None:
    fine_tune(twenty(), [PROBLEM], base, tiny_settings(epochs=1, lora_rank=0), 0, tmp_path / "g", True)
    alone = load_causal_model(tmp_path / "g", "bfloat16")
    ours = load_trained_causal(base, tmp_path / "g", "bfloat16")
    tensors = [dict([*model.named_parameters(), *model.named_buffers()]) for model in (alone, ours)]
    assert tensors[0].keys() == tensors[1].keys()
    assert {each.dtype for each in tensors[0].values()} == {torch.bfloat16, torch.float32}  # RoPE's frequencies
    assert all(each.dtype == tensors[1][name].dtype for name, each in tensors[0].items())
    assert all(torch.equal(each, tensors[1][name]) for name, each in tensors[0].items())


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    fine_tune(twenty(), [PROBLEM], base, tiny_settings(epochs=1), 0, tmp_path / "g", True)
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_trained_causal(tiny_base(tmp_path / "other", seed=1), tmp_path / "g", "float32")


def test_nothing_to_learn_from_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="nothing to fine-tune on"):
        fine_tune([], [PROBLEM], base, tiny_settings(), 0, tmp_path / "g", True)


def test_a_demonstration_of_an_unknown_problem_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="toy/double"):
        fine_tune(twenty(), [], base, tiny_settings(), 0, tmp_path / "g", True)


def test_a_disk_that_cannot_be_written_is_named_and_nothing_stays(base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MucodeError, match="was not written"):
        fine_tune(twenty(), [PROBLEM], base, tiny_settings(epochs=1), 0, tmp_path / "file" / "g", True)


def test_a_full_disk_leaves_what_was_there_before(base: Path, tmp_path: Path) -> None:
    fine_tune(twenty()[:4], [PROBLEM], base, tiny_settings(epochs=1), 0, tmp_path / "g", True)
    before, model = folder_digests(tmp_path / "g"), load_causal_model(base, "float32")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(MucodeError, match="was not written"), folder_written_whole(tmp_path / "g") as folder:
            save_weights(model, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert folder_digests(tmp_path / "g") == before
    assert [file.name for file in tmp_path.iterdir()] == ["g"]


def test_what_a_killed_run_left_behind_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".g.writing").mkdir()
    (tmp_path / ".g.writing" / "half").touch()
    with folder_written_whole(tmp_path / "g") as folder:
        (folder / "whole").touch()
    assert [file.name for file in tmp_path.rglob("*")] == ["g", "whole"]


def test_adapters_train_and_the_base_does_not(base: Path) -> None:
    causal = load_causal_model(base, "float32")
    frozen = {name: weight.clone() for name, weight in causal.state_dict().items()}
    objective = AnswerLoss(causal, low_precision=False)
    chosen = tiny_settings(epochs=1)
    model = prepare(causal, chosen)
    tokenizer = load_tokenizer(base)
    encoded = [encode(tokenizer, each, PROBLEM, 4096, True) for each in twenty()]
    examples = [answer_example(each.prompt, each.answer, 0.01) for each in encoded]
    order, rates = (
        GroupedOrder([[each] for each in range(len(examples))], chosen.batch_size, 0),
        Rates(trainable(model), 1e-2),
    )
    run_training(objective, examples, Collate(shared=True), (rates,), chosen, 0, "test", order)
    after = {name.replace(".base_layer", ""): weight for name, weight in causal.state_dict().items()}
    assert all(torch.equal(after[name], weight) for name, weight in frozen.items())
    assert all(weight.abs().max() > 0 for name, weight in after.items() if "lora_B" in name)
