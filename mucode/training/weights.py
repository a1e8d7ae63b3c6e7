"""Base weights, adapters on them, and folders of trained weights that say which base they belong to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from mucode import records
from mucode.records import write_json
from mucode.training.settings import TrainingSettings
from mucode.types import MucodeError

CARD = "trained.json"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
FULL = "model.safetensors"
LANGUAGE = {".json", ".jinja", ".model", ".txt"}  # of files: tokenizer, chat template, configuration
DType = Literal["float32", "bfloat16"]


def base_digest(base: Path) -> str:
    """sha256 over a model folder's weights (hexadecimal); of a single file it is what `sha256sum` prints.

    Raises:
        MucodeError: the folder holds no weights.
    """
    files = sorted(base.glob("*.safetensors"))
    if not files:
        raise MucodeError(f"{base} holds no *.safetensors: fetch the base model first (`dvc repro` does)")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as weights:
            while block := weights.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()


def load_causal_model(base: Path, dtype: DType) -> Any:
    """The base as a transformers causal language model, for a forward pass without dropout.

    Raises:
        MucodeError: the folder is damaged.
    """
    from transformers import AutoModelForCausalLM

    with quiet(), intact(base):
        return AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype)).eval()


def load_tokenizer(base: Path) -> Any:
    """The base's tokenizer.

    Raises:
        MucodeError: it has no chat template, or is damaged.
    """
    from transformers import AutoTokenizer

    with intact(base):
        tokenizer = AutoTokenizer.from_pretrained(base)
    if not tokenizer.chat_template:
        raise MucodeError(f"{base} has no chat template: choose an instruction-tuned base model")
    return tokenizer


def attention_kinds(config: Any) -> frozenset[str]:
    """What a model's layers attend to: "full_attention" alone, or also less (a window), by transformers' names."""
    if named := getattr(config, "layer_types", None):
        return frozenset(named)
    window = getattr(config, "sliding_window", None)  # all that Mistral, Phi-3 and Starcoder2 say
    windowed = window is not None and window < config.max_position_embeddings
    return frozenset({"sliding_attention" if windowed else "full_attention"})


def prepare(model: Any, settings: TrainingSettings) -> Any:
    """Give the model low-rank adapters on every linear layer but the output's, or make all its weights trainable."""
    if settings.lora_rank == 0:
        return model.requires_grad_(True)
    from peft import LoraConfig, get_peft_model

    output = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and part is not output
    }
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=sorted(linear),
        bias="none",
    )
    with quiet():
        return get_peft_model(model, config)


def hold_frozen_in_bfloat16(model: Any) -> None:
    """Round the weights of linear layers that are not trained once, as autocast would at every pass: equal to the bit.

    An embedding that shares its weights with the output layer keeps them as they are.
    """
    for part in model.modules():
        if isinstance(part, nn.Linear) and not part.weight.requires_grad:
            part.weight = nn.Parameter(part.weight.to(torch.bfloat16), requires_grad=False)


def save_weights(model: Any, folder: Path) -> None:
    """Write what training changed: the adapter in peft's format, or the whole model; equal weights give equal bytes."""
    if not hasattr(model, "peft_config"):
        state = {name: weight.detach().float().contiguous() for name, weight in _untied(model).items()}
        save_file(state, folder / FULL, metadata={"format": "pt"})
        return
    from peft import get_peft_model_state_dict

    adapter = {name: weight.detach().float().contiguous() for name, weight in get_peft_model_state_dict(model).items()}
    save_file(adapter, folder / ADAPTER, metadata={"format": "pt"})
    config = model.peft_config["default"].to_dict()
    # peft keeps a set here, whose order follows the hash seed, and the base's path on this machine
    steady = {"target_modules": sorted(config["target_modules"]), "base_model_name_or_path": None}
    write_json(folder / ADAPTER_CONFIG, config | steady | {"inference_mode": True})


def add_language(base: Path, folder: Path) -> None:
    """Copy the base's tokenizer, chat template and settings to a folder of weights, but for what it has of them."""
    for file in sorted(base.iterdir()):
        if file.suffix in LANGUAGE and not file.name.endswith(".index.json") and not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)


def _untied(model: Any) -> dict[str, torch.Tensor]:
    """The state without second names of one tensor (tied embeddings), which safetensors refuses."""
    seen: set[int] = set()
    state = {}
    for name, weight in model.state_dict().items():
        if weight.data_ptr() not in seen:
            seen.add(weight.data_ptr())
            state[name] = weight
    return state


def with_trained(model: Any, trained: Path) -> Any:
    """The base model (float32) with a folder's trained weights in it; adapters are merged: inference pays nothing.

    Raises:
        MucodeError: the folder holds no trained weights, those of another architecture, or damaged ones.
    """
    if (trained / ADAPTER).exists():
        from peft import PeftModel

        with quiet(), intact(trained):
            return PeftModel.from_pretrained(model, trained).merge_and_unload().eval()
    if not (trained / FULL).exists():
        raise MucodeError(f"{trained} holds no trained weights: train them first (`dvc repro` does)")
    with intact(trained):
        state = load_file(trained / FULL)
    if state.keys() != _untied(model).keys():
        raise MucodeError(f"{trained} holds the weights of another kind of model than its base: train it anew")
    model.load_state_dict(state, strict=False)  # a tied tensor is stored under its first name only
    return model.eval()


def load_trained_causal(base: Path, trained: Path | None, dtype: DType) -> Any:
    """pi_i: the base as a causal language model, with fine-tuned weights in it if a folder is given.

    Raises:
        MucodeError: the folder's weights were trained on another base.
    """
    if trained is None:
        return load_causal_model(base, dtype)
    check_base(base, read_card(trained), trained)
    return rounded(with_trained(load_causal_model(base, "float32"), trained), dtype)


def rounded(model: Any, dtype: DType) -> Any:
    """The model with its weights in `dtype`, as `from_pretrained` loads them in it.

    What is computed and no weight stays float32: `Module.to` would round RoPE's frequencies, too, by up to 0.2 %, and
    a token 300 places on would be turned by half a radian.
    """
    weights = model.state_dict().keys()
    computed = {name: buffer for name, buffer in model.named_buffers() if name not in weights}
    model.to(getattr(torch, dtype))
    for name, buffer in computed.items():
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, buffer)
    return model


def read_card(trained: Path) -> dict[str, Any]:
    """What a folder of trained weights says about itself; `base_sha256` is in it, whatever else.

    Raises:
        MucodeError: there is no such folder, it is none of ours, or its card is damaged.
    """
    try:
        text = (trained / CARD).read_text()
    except FileNotFoundError as error:
        raise MucodeError(f"{trained} holds no {CARD}: name a folder that mucode trained") from error
    with intact(trained):
        card: dict[str, Any] = json.loads(text)
        _ = card["base_sha256"]
    return card


def check_base(base: Path, card: dict[str, Any], trained: Path) -> None:
    """Refuse trained weights on any base but their own: they would load without an error and mean nothing."""
    digest = base_digest(base)
    if card["base_sha256"] != digest:
        raise MucodeError(
            f"{trained} was trained on the base {card['base_sha256'][:12]}, but {base} is {digest[:12]}: "
            "use the base it was trained on"
        )


def best_dtype() -> Literal["float32", "bfloat16"]:
    """bfloat16 where the device multiplies matrices in it (about twice as fast), float32 where it would be emulated."""
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if fast else "float32"


@contextlib.contextmanager
def folder_written_whole(out: Path) -> Iterator[Path]:
    """`records.folder_written_whole` for weights, whose library has an error of its own for a full disk."""
    with records.folder_written_whole(out) as partial:
        try:
            yield partial
        except SafetensorError as error:
            raise OSError(str(error)) from error


@contextlib.contextmanager
def intact(folder: Path) -> Iterator[None]:
    """Tell what libraries raise over a damaged file by the name of its folder, which they leave out.

    Raises:
        MucodeError: something could not be read.
    """
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MucodeError(
            f"{folder} cannot be loaded ({reason}): "
            "if it is damaged, fetch it again (`dvc pull`), or remove it and run `dvc repro`"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """transformers' own progress bars off, and its complaint about how peft 0.21 asks it; afterwards as before."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
