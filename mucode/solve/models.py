"""A generator and a verifier as a user names them, loaded on the very base model that each was trained on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mucode.solve.solution import Unscored
from mucode.types import Generator, MucodeError, Verifier

if TYPE_CHECKING:
    from mucode.tracking.models import Kind

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")


@dataclass(frozen=True, slots=True)
class Named:
    """A model as its user named it: a folder, or a version in the registry."""

    kind: Kind
    name: str
    folder: Path | None
    version: str = ""  # the registry's: an alias or a number

    @property
    def trained(self) -> bool:
        """Whether it is weights on a base; a folder without a card is a base model itself."""
        return self.folder is None or (self.folder / "trained.json").exists()

    @property
    def aliased(self) -> bool:
        """Whether it is named by an alias, which may be moved; who names a number knows which model it is."""
        return self.folder is None and not self.version.isdigit()


@dataclass(frozen=True, slots=True)
class Located:
    """A model, and the folder of the base model that it stands on: its own, where it is one."""

    model: Named
    base: Path


def named(kind: Kind, name: str) -> Named:
    """Where a model named on the command line lies; nothing is loaded yet.

    Raises:
        MucodeError: no such folder, no name of the registry's form, or another kind of model.
    """
    if name.startswith("models:"):
        return _registered(kind, name)
    folder = Path(name)
    if not folder.is_dir():
        raise MucodeError(f"there is no folder {name}: give the {kind}'s folder or models:/mucode-{kind}@champion")
    model = Named(kind, name, folder)
    if kind == "generator" and (folder / "head.safetensors").exists():
        raise MucodeError(f"{name} is a verifier: give it as --verifier, and a generator's folder as --generator")
    if kind == "verifier" and not (folder / "head.safetensors").exists():
        raise MucodeError(f"{name} is no verifier (it has no head.safetensors): name a verifier's folder")
    if (folder / "script.json").exists():
        raise MucodeError(f"{name} is played by a script, which knows its own problems only: name a real model")
    if not model.trained and not ((folder / "config.json").exists() and any(folder.glob("*.safetensors"))):
        raise MucodeError(
            f"{name} holds neither trained weights (trained.json) nor a model (config.json and *.safetensors): "
            f"name the {kind}'s own folder"
        )
    return model


def locate(generator: Named, verifier: Named | None, base: Path | None) -> tuple[Located, Located | None]:
    """Find the base model of each.

    Args:
        generator: trained weights, or a base model.
        verifier: None for the selectors that do without.
        base: the base model's folder; None: data/generators/base here, or generators/base in a folder above the weights.

    Raises:
        MucodeError: it is not to be found, or the registry has no such version, or two aliases there name no pair.
    """
    player = Located(generator, _base_of(generator, base, []))
    scorer = Located(verifier, _base_of(verifier, base, [player.base])) if verifier else None
    if verifier is not None and generator.aliased and verifier.aliased:
        from mucode.solve.registered import require_pair

        require_pair(generator.version, verifier.version)
    return player, scorer


@contextlib.contextmanager
def open_pair(generator: Located, verifier: Located | None, engine: str) -> Iterator[tuple[Generator, Verifier]]:
    """Both, while the block runs; without a verifier `Unscored` stands in its place.

    Args:
        engine: of the generator, a key of `generator.ENGINES`.

    Raises:
        MucodeError: a folder holds weights that do not fit, or the engine cannot play the generator here.
    """
    scorer, shown = _scorer(verifier)
    with _open_generator(generator, shown, engine) as player:
        yield player, scorer


def _scorer(verifier: Located | None) -> tuple[Verifier, bool]:
    """The verifier, and whether the pair was trained with the public tests in sight."""
    if verifier is None:
        return Unscored(), True
    from mucode.verifier.model import TransformerVerifier

    scorer = _load_verifier(verifier)
    # The verifier's card says so; a generator's does not
    return scorer, scorer.reader.show_public_tests if isinstance(scorer, TransformerVerifier) else True


def find_base(digest: str, wanted_by: str, folders: Sequence[Path]) -> Path:
    """The first folder that holds the base model of that digest (sha256 of its weights).

    Raises:
        MucodeError: none does.
    """
    from mucode.training.weights import base_digest

    places = list(dict.fromkeys(folder.resolve() for folder in folders))
    for folder in places:
        if any(folder.glob("*.safetensors")) and base_digest(folder) == digest:
            return folder
    raise MucodeError(
        f"{wanted_by} was trained on the base model {digest[:12]}, which is not in {' or '.join(map(str, places))}: "
        "name its folder with --base"
    )


def _registered(kind: Kind, name: str) -> Named:
    from mucode.tracking.models import NAMES

    found = _URI.fullmatch(name)
    if found is None:
        raise MucodeError(f"{name} names no version: give models:/{NAMES[kind]}@ALIAS or models:/{NAMES[kind]}/NUMBER")
    if found["name"] != NAMES[kind]:
        raise MucodeError(f"{name} is not a {kind} of ours: those are called models:/{NAMES[kind]}")
    return Named(kind, name, None, found["alias"] or found["number"])


def _base_of(model: Named, given: Path | None, near: Sequence[Path]) -> Path:
    if model.folder is not None and not model.trained:
        return model.folder
    if given is not None:
        return find_base(_digest_of(model), model.name, [given])
    roots = [Path("data"), *(model.folder.resolve().parents if model.folder else ())]
    likely = [place for root in roots if (place := root / "generators/base").is_dir()]
    return find_base(_digest_of(model), model.name, [*near, *likely] or [roots[0] / "generators/base"])


def _digest_of(model: Named) -> str:
    """Of the base that it was trained on."""
    if model.folder is None:
        from mucode.solve.registered import base_of_version

        return base_of_version(model.kind, model.version)
    from mucode.training.weights import read_card

    digest: str = read_card(model.folder)["base_sha256"]
    return digest


@contextlib.contextmanager
def _open_generator(at: Located, shown: bool, engine: str) -> Iterator[Generator]:
    if at.model.folder is None:
        from mucode.tracking import load_registered_generator

        if engine != "transformers":
            raise MucodeError(f"{at.model.name} plays by transformers only: name the generator's folder for {engine}")
        yield load_registered_generator(at.model.version, at.base)
        return
    from mucode.generator import Part, open_generator

    with open_generator(engine, Part(at.base, at.model.folder, shown)) as playing:
        yield playing.generator


def _load_verifier(at: Located) -> Verifier:
    if at.model.folder is None:
        from mucode.tracking import load_registered_verifier

        return load_registered_verifier(at.model.version, at.base)
    from mucode.verifier.model import load_verifier

    return load_verifier(at.base, at.model.folder)
