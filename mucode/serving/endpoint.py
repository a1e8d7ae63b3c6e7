"""One completions endpoint of an OpenAI-compatible server: requests, patience with what passes, words for what does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from mucode.types import MucodeError

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOST = frozenset({401, 403, 404})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried. As given: four minutes of a server that is away, besides the waiting for replies."""

    attempts: int = 12
    first_delay: float = 0.5  # seconds; doubles from attempt to attempt
    longest_delay: float = 30.0
    request_seconds: float = 1800.0  # for one reply, the time in the server's queue included

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt after `attempt` (from 1), spread so that failed requests do not return at once."""
        return min(self.longest_delay, self.first_delay * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server offers."""

    name: str
    context: int | None  # tokens of prompt and reply together; None: the server does not say


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server generated for one prompt."""

    text: str
    tokens: list[int] | None  # None: the server does not name them
    stopped: bool  # at a stop string or token; else the tokens asked for were used up
    completion_tokens: int
    log_probabilities: list[float]  # of each token; empty if not asked for


class RequestRefused(MucodeError):
    """The server understood a request and will not do it: asking again is no use."""


class ServerGone(MucodeError):
    """Nothing answers us any more: no other request would fare better."""


@dataclass(frozen=True, slots=True)
class _Miss:
    """An attempt without an answer."""

    why: str
    connected: bool


def no_lifeline() -> None:
    """For a server that somebody else looks after: nothing to ask about it."""


class Endpoint:
    """The completions of one server. Use it inside one event loop, as an async context."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        patience: Patience | None = None,
        lifeline: Callable[[], None] = no_lifeline,
    ) -> None:
        """
        Args:
            url: of the server, without /v1.
            key: sent as a bearer token, if not empty.
            lifeline: called (in a thread) before a request is tried again; it may wait until the server is back, and
                raises MucodeError when it will not be.
        """
        self.url = url.rstrip("/").removesuffix("/v1")
        self._patience = patience or Patience()
        self._lifeline = lifeline
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(self._patience.request_seconds, connect=10.0, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=3.0),
            verify=self.url.startswith("https:"),  # reading the certificates takes longer than a request
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,  # no proxy between us and ourselves
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def models(self) -> list[Served]:
        """What the server offers. Asked once, without patience: it is how one finds out that there is no server.

        Raises:
            MucodeError: nothing answers there, or not as a model server does.
        """
        way_out = "start one (`python -m mucode.serving run BASE`) or correct MUCODE_SERVER_URL"
        try:
            answer = await self._client.get("/v1/models", timeout=20.0)
        except httpx.TransportError as error:
            raise MucodeError(f"no model server answers at {self.url} ({_named(error)}): {way_out}") from error
        if answer.status_code in {401, 403}:
            raise MucodeError(f"the model server at {self.url} refuses the key: set MUCODE_SERVER_KEY")
        try:
            return [Served(str(model["id"]), model.get("max_model_len")) for model in answer.json()["data"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"status {answer.status_code}"
            raise MucodeError(f"what answers at {self.url} is no model server ({said}): {way_out}") from error

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Have vLLM read an adapter from a folder that it can see, and offer it under a name beside its model.

        Raises:
            MucodeError: it does not.
        """
        asked = {"lora_name": name, "lora_path": str(folder)}
        answer = await self._client.post("/v1/load_lora_adapter", json=asked, timeout=600.0)
        if answer.status_code != 200:
            raise MucodeError(
                f"{self.url} does not load the adapter {folder} (status {answer.status_code}: {_said(answer)}): start it "
                "with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, or serve the merged weights"
            )

    async def complete(self, body: dict[str, Any]) -> Answer:
        """One completion. A lost connection, a time-out, or a status that may pass (_PASSING) is tried again, with
        growing delays.

        Raises:
            RequestRefused: the server refuses the request as it is.
            ServerGone: nothing listens there any more, the server does not know the model or the key, or the lifeline says
                that it will not come back.
            MucodeError: no attempt succeeded, though something listens there.
        """
        missed = _Miss("no attempt was made", connected=True)
        for attempt in range(1, self._patience.attempts + 1):
            outcome = await self._attempt(body)
            if isinstance(outcome, Answer):
                return outcome
            missed = outcome
            if attempt < self._patience.attempts:
                await self._wait_for_the_server()
                await asyncio.sleep(self._patience.delay(attempt))
        kind = MucodeError if missed.connected else ServerGone
        raise kind(
            f"{self.url} did not answer in {self._patience.attempts} attempts ({missed.why}): "
            "see that it runs, then again"
        )

    async def _wait_for_the_server(self) -> None:
        try:
            await asyncio.to_thread(self._lifeline)
        except MucodeError as error:
            raise ServerGone(str(error)) from error

    async def _attempt(self, body: dict[str, Any]) -> Answer | _Miss:
        """The answer, or why there is none this time."""
        try:
            response = await self._client.post("/v1/completions", json=body)
        except httpx.TransportError as error:
            return _Miss(_named(error), connected=not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)))
        if response.status_code in _PASSING:
            return _Miss(f"status {response.status_code}: {_said(response)}", connected=True)
        if response.status_code in _LOST:
            raise ServerGone(
                f"{self.url} no longer serves {body['model']} to us (status {response.status_code}: {_said(response)}): "
                "see that it offers it and takes MUCODE_SERVER_KEY, then run again"
            )
        if response.status_code != 200:
            raise RequestRefused(
                f"{self.url} refuses the request (status {response.status_code}: {_said(response)}): see its log"
            )
        try:
            return _answer(response.json())
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return _Miss(f"an answer that is none of the protocol's: {_named(error)}", connected=True)


def _answer(body: dict[str, Any]) -> Answer:
    choice = body["choices"][0]
    reason = choice["finish_reason"]
    if reason not in {"stop", "length"}:
        raise ValueError(f"the server broke off ({reason})")
    tokens, usage = choice.get("token_ids"), body.get("usage") or {}
    return Answer(
        text=str(choice["text"]),
        tokens=None if tokens is None else [int(token) for token in tokens],
        stopped=reason == "stop",
        completion_tokens=int(usage.get("completion_tokens") or 0),
        log_probabilities=list((choice.get("logprobs") or {}).get("token_logprobs") or []),
    )


def _said(response: httpx.Response) -> str:
    """The server's own message, on one line."""
    try:
        body = response.json()
        error = body.get("error", body)
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError):
        text = response.text
    return " ".join(text.split())[:300] or "no message"


def _named(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].removesuffix(": ")
