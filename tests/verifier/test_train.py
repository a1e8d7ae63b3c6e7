import dataclasses
import math
import random
from pathlib import Path

import pytest
import torch

from mucode.records import write_json
from mucode.training.run import Example, trainable
from mucode.training.weights import CARD, load_causal_model, prepare, read_card
from mucode.types import Candidate, MucodeError
from mucode.verifier.losses import LOSSES
from mucode.verifier.model import RewardModel, load_verifier, new_head, save_verifier
from mucode.verifier.train import Collate, Objective, VerifierSettings, train_verifier
from tests.conftest import make_problem
from tests.training.tiny_model import folder_digests, tiny_base, tiny_settings

pytestmark = pytest.mark.slow  # imports torch

PROBLEMS = [make_problem(name) for name in ("a", "b", "c")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


def settings(loss: str = "bradley_terry", **changes: float | int | str) -> VerifierSettings:
    return VerifierSettings(
        training=tiny_settings(**changes),
        loss=loss,
        head_learning_rate=3e-2,
        score_penalty=1e-3,
        pairs_per_problem=12,
        score_batch_size=4,
        score_dtype="float32",
        show_public_tests=True,
    )


# Token rows: two pairs of one problem, one program in both; and twice a pair of another
_ROWS = [[1, 2, 3, 4, 5], [1, 2, 3, 6], [1, 2, 3, 4, 5], [1, 2, 3, 4, 7, 8], *[[9, 8, 7], [9, 8, 6, 5]] * 2]
EXAMPLES: list[Example] = [{"rows": _ROWS[at : at + 2], "rewards": [1.0, 0.0]} for at in range(0, len(_ROWS), 2)]


def loss_and_gradients(
    base: Path, loss: str, batches: list[list[Example]], shared: bool
) -> tuple[float, list[torch.Tensor]]:
    """Of the mean over batches of one size."""
    transformer = prepare(load_causal_model(base, "float32").get_decoder(), tiny_settings(lora_rank=0))
    objective = Objective(RewardModel(transformer, new_head(32, seed=1)), LOSSES[loss], settings(loss))
    losses = [objective(**Collate(shared)(batch))["loss"] for batch in batches]
    mean = sum(losses) / len(losses)
    mean.backward()
    return mean.item(), [weight.grad for weight in trainable(objective) if weight.grad is not None]


def separable() -> list[Candidate]:
    """Right programs return their argument; wrong ones return a number."""
    draw = random.Random(0)
    data = []
    for problem in PROBLEMS:
        name = problem.entry_point
        for _ in range(5):
            spaces = " " * draw.randint(1, 9)
            data.append(Candidate(problem.id, f"def {name}(x):\n{spaces}return xxxx", 1.0))
            data.append(Candidate(problem.id, f"def {name}(x):\n{spaces}return 7777", 0.0))
    return data


def trained(base: Path, out: Path, chosen: VerifierSettings, seed: int = 0) -> Path:
    train_verifier(separable(), PROBLEMS, base, chosen, seed, out)
    return out


@pytest.mark.parametrize("loss", ["bradley_terry", "bce"])
@pytest.mark.parametrize("rank", [4, 0])
def test_a_verifier_learns_to_rank_what_can_be_told_apart(base: Path, tmp_path: Path, loss: str, rank: int) -> None:
    chosen = settings(loss, epochs=6, lora_rank=rank)
    metrics = train_verifier(separable(), PROBLEMS, base, chosen, 0, tmp_path / "v")
    assert metrics.accuracy > 0.9
    assert metrics.final_loss < 0.5 * metrics.losses[0]
    verifier = load_verifier(base, tmp_path / "v")
    unseen = [f"def z(x):\n{' ' * 12}return xxxx", f"def z(x):\n{' ' * 12}return 7777"]
    right, wrong = verifier.score([make_problem("z")] * 2, unseen)
    assert right > wrong


def test_equal_inputs_give_equal_bytes_and_no_path_of_this_machine(base: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        trained(base, tmp_path / name, settings(epochs=1))
    assert folder_digests(tmp_path / "first") == folder_digests(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert str(base).encode() not in file.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first", "second"]


def test_another_seed_gives_other_weights(base: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        trained(base, tmp_path / str(seed), settings(epochs=1), seed)
    assert folder_digests(tmp_path / "0") != folder_digests(tmp_path / "1")


@pytest.mark.parametrize("rank", [4, 0])
def test_saving_and_loading_changes_no_score(base: Path, tmp_path: Path, rank: int) -> None:
    """Weights far from the base's are saved; the model in memory, adapters merged, and the loaded one agree exactly."""
    torch.manual_seed(5)
    transformer = prepare(load_causal_model(base, "float32").get_decoder(), tiny_settings(lora_rank=rank))
    for weights in trainable(transformer):
        torch.nn.init.normal_(weights, std=0.2)
    model = RewardModel(transformer, new_head(32, seed=1))
    trained(base, tmp_path / "v", settings(epochs=1, lora_rank=rank))
    save_verifier(model, tmp_path / "v", read_card(tmp_path / "v"))
    loaded = load_verifier(base, tmp_path / "v")
    if rank:
        model = RewardModel(transformer.merge_and_unload(), model.head)
    programs = ["x", "y = 1"]
    expected = dataclasses.replace(loaded, model=model.eval()).score(PROBLEMS[:2], programs)
    assert loaded.score(PROBLEMS[:2], programs) == expected
    assert len(set(expected)) == 2


def test_a_pair_scores_the_same_alone_and_among_longer_ones(base: Path, tmp_path: Path) -> None:
    verifier = load_verifier(base, trained(base, tmp_path / "v", settings(epochs=1)))
    alone = verifier.score(PROBLEMS[:1], ["x"])
    among = verifier.score(PROBLEMS[:1] * 3, ["x" * 50, "x", "y" * 20])
    assert among[1] == pytest.approx(alone[0], abs=1e-5)


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    folder = trained(base, tmp_path / "v", settings(epochs=1))
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_verifier(tiny_base(tmp_path / "other", seed=1), folder)


def test_a_candidate_of_an_unknown_problem_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="toy/a"):
        train_verifier(separable(), PROBLEMS[1:], base, settings(), 0, tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_a_diverging_loss_stops_the_training_and_leaves_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="learning_rate"):
        trained(base, tmp_path / "v", settings(learning_rate=math.inf, max_gradient_norm=0.0, lora_rank=0))
    assert not (tmp_path / "v").exists()


def test_bfloat16_scores_are_close_to_float32_and_repeatable(base: Path, tmp_path: Path) -> None:
    folder = trained(base, tmp_path / "v", settings(epochs=1))
    exact = load_verifier(base, folder).score(PROBLEMS, ["x", "y = 7777", "z"])
    write_json(folder / CARD, read_card(folder) | {"dtype": "bfloat16"})
    rounded = load_verifier(base, folder).score(PROBLEMS, ["x", "y = 7777", "z"])
    assert rounded == pytest.approx(exact, abs=0.3)
    assert rounded != exact
    assert rounded == load_verifier(base, folder).score(PROBLEMS, ["x", "y = 7777", "z"])


def test_training_in_bfloat16_learns_too(base: Path, tmp_path: Path) -> None:
    metrics = train_verifier(separable(), PROBLEMS, base, settings(epochs=6, dtype="bfloat16"), 0, tmp_path / "v")
    assert metrics.accuracy > 0.9


@pytest.mark.parametrize("loss", ["bradley_terry", "bce"])
def test_a_batch_in_two_halves_gives_the_same_gradients(base: Path, loss: str) -> None:
    """The first half: two pairs of one problem, with a program in common. The second: another problem's twice."""
    whole, expected = loss_and_gradients(base, loss, [EXAMPLES], shared=True)
    halves, found = loss_and_gradients(base, loss, [EXAMPLES[:2], EXAMPLES[2:]], shared=True)
    assert halves == pytest.approx(whole, rel=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_batch_that_cannot_be_halved_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="accumulation = 3"):
        trained(base, tmp_path / "v", settings(accumulation=3))


def test_the_new_heads_spread_is_one_over_the_root_of_hidden_plus_one() -> None:
    head = new_head(hidden=4095, seed=0)
    assert head.weight.std().item() == pytest.approx(1 / 64, rel=0.05)
    assert head.bias.item() == 0.0


@pytest.mark.parametrize("loss", ["bradley_terry", "bce"])
def test_programs_that_share_their_problem_give_the_gradients_of_rows_of_their_own(base: Path, loss: str) -> None:
    together, found = loss_and_gradients(base, loss, [EXAMPLES], shared=True)
    alone, expected = loss_and_gradients(base, loss, [EXAMPLES], shared=False)
    assert together == pytest.approx(alone, rel=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_problem_is_read_once_for_all_pairs_of_a_pass() -> None:
    shared, alone = (Collate(each)(EXAMPLES)["input_ids"].numel() for each in (True, False))
    assert shared == len(
        {tuple(row[:end]) for each in EXAMPLES for row in each["rows"] for end in range(1, len(row) + 1)}
    )
    assert shared < 0.5 * alone


def test_scoring_reads_a_problem_once_for_a_batch_and_each_distinct_program_once_the_longest_first(
    base: Path, tmp_path: Path
) -> None:
    verifier = load_verifier(base, trained(base, tmp_path / "v", settings(epochs=1)))
    read: list[tuple[int, int]] = []
    verifier.model.transformer.register_forward_pre_hook(
        lambda _module, _args, inputs: read.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    programs = ["x" * length for length in (10, 70, 30, 50, 20, 40)]
    verifier.score(PROBLEMS[:1] * 12, programs * 2)
    beginning = len(verifier.reader.tokens(PROBLEMS[0], "x" * 70)) - read[1][1]
    assert [rows for rows, _ in read] == [
        1,
        4,
        1,
        2,
    ]  # the problem, four programs (settings: 4), the problem, two programs
    assert read[0][1] == beginning > 5 * read[1][1] / 4
    assert read[1][1] > read[3][1]
