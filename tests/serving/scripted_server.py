"""A small completions server: it says what a script says, letter by letter, and misbehaves when it is told to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

END = 1  # the letter that ends a turn
DROP = 0  # instead of a status: close the connection without an answer


class Letters:
    """A tokenizer whose tokens are letters, with a chat template of its own."""

    chat_template = "letters"

    def get_chat_template(self) -> str:
        return self.chat_template

    def get_vocab(self) -> dict[str, int]:
        return {chr(code): code for code in range(256)}

    def apply_chat_template(self, messages: Sequence[dict[str, str]], **_options: object) -> list[int]:
        return encoded("".join(f"{m['role']}:{m['content']}\x01" for m in messages) + "assistant:")

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = False, **_options: object) -> str:
        return "".join(chr(token) for token in tokens if not (skip_special_tokens and token == END))


def encoded(text: str) -> list[int]:
    return [ord(letter) for letter in text]


@dataclass
class Script:
    """What the server does."""

    reply: Callable[[str], str] = lambda prompt: "no code"  # the whole text that it would say to a prompt
    fault: Callable[[dict[str, Any], int], int | None] = lambda body, earlier: None  # status, by how often it came
    delay: Callable[[dict[str, Any]], object] = lambda body: None  # returns when the answer may go
    model: str = "toy"
    context: int | None = None
    names_tokens: bool = True
    takes_tokens: bool = True
    loads_adapters: bool = False
    adapters: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)
    came: Counter[str] = field(default_factory=Counter)

    def asked(self) -> list[dict[str, Any]]:
        """The requests but for the one with which a client introduces itself."""
        return [body for body in self.bodies if body["max_tokens"] > 1]

    def arrive(self, body: dict[str, Any]) -> int | None:
        with self.lock:
            self.bodies.append(body)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            earlier = self.came[json.dumps(body)]
            self.came[json.dumps(body)] += 1
        if body["max_tokens"] == 1:
            return None
        self.delay(body)
        return self.fault(body, earlier)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """As a model would: up to the stop string, the end of the turn, or the number of tokens asked for."""
        prompt = body["prompt"]
        prompt = prompt if isinstance(prompt, str) else "".join(map(chr, prompt))
        said = prompt.rpartition("assistant:")[2]
        rest = (self.reply(prompt) + chr(END))[len(said) :]
        text, reason = "", "length"
        for letter in rest[: body["max_tokens"]]:
            text += letter
            if ord(letter) == END or any(stop in text for stop in body.get("stop", [])):
                reason = "stop"
                break
        choice: dict[str, Any] = {"text": text.replace(chr(END), ""), "finish_reason": reason}
        if self.names_tokens and body.get("return_token_ids"):
            choice["token_ids"] = encoded(text)
        if "logprobs" in body:
            choice["logprobs"] = {"token_logprobs": [-0.5] * len(text)}
        return {"choices": [choice], "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(text)}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        model = {"id": self.script.model, "max_model_len": self.script.context}
        self._send(200, {"data": [model]} if self.path == "/v1/models" else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/load_lora_adapter":
            self.script.adapters.append(body)
            self._send(200 if self.script.loads_adapters else 404, {})
            return
        try:
            status = self.script.arrive(body)
            if status == DROP:
                self.close_connection = True
            elif status is not None:
                self._send(status, {"error": {"message": "told to"}})
            elif not self.script.takes_tokens and not isinstance(body["prompt"], str):
                self._send(400, {"error": {"message": "a prompt is a text"}})
            else:
                self._send(200, self.script.answer(body))
        finally:
            with self.script.lock:
                self.script.at_once -= 1

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:  # the client has lost interest
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The server's URL, while the block runs."""
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"script": script}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
