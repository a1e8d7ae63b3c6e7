"""What the registry says of a version before it is loaded."""

from __future__ import annotations

from pathlib import Path

from mucode.lineage.git import without_credentials
from mucode.tracking.models import NAMES, Kind, registry_to_read
from mucode.tracking.server import mlflow_at, require_there, tracking_uri
from mucode.types import MucodeError


def base_of_version(kind: Kind, version: str, workspace: Path = Path()) -> str:
    """The digest of the base model that a registered version was trained on. Nothing is written, no database made.

    Args:
        version: an alias ("champion") or a number ("3").
        workspace: whose registry.

    Raises:
        MucodeError: there is no such registry or no such version, or it does not say its base.
    """
    require_there(workspace)
    name, at = NAMES[kind], without_credentials(tracking_uri(workspace))
    with mlflow_at(workspace) as client:
        aliases = {
            alias: n
            for each in client.search_registered_models(f"name = '{name}'")
            for alias, n in each.aliases.items()
        }
        numbers = {str(each.version): each for each in client.search_model_versions(f"name = '{name}'")}
    found = numbers.get(str(aliases.get(version, version)))
    if found is None:
        known = ", ".join([*(f"@{alias}" for alias in sorted(aliases)), *(f"/{n}" for n in sorted(numbers, key=int))])
        raise MucodeError(f"the registry at {at} has no version {version!r} of {name}: it has {known or 'none'}")
    digest: str | None = found.tags.get("base_sha256")
    if digest is None:
        raise MucodeError(
            f"version {found.version} of {name} at {at} was not registered by `mucode register`: name another version"
        )
    return digest


def require_pair(generator: str, verifier: str, workspace: Path = Path()) -> None:
    """Refuse aliases that point at two versions which were never registered together: a kill between the two, or
    somebody by hand, may leave them so.

    Args:
        generator: an alias of the registered generator.
        verifier: an alias of the registered verifier.
        workspace: whose registry.

    Raises:
        MucodeError: they are no pair.
    """
    from mucode.registry.pairs import paired

    with registry_to_read(workspace) as registry:
        player, scorer = registry.aliased("generator", generator), registry.aliased("verifier", verifier)
    if player and scorer and paired(scorer) not in player.tags:
        raise MucodeError(
            f"{NAMES['generator']}@{generator} is version {player.number} and {NAMES['verifier']}@{verifier} version "
            f"{scorer.number}, which form no pair: set both aliases to one, or name the versions by number"
        )
