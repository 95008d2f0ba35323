"""Prism: an independent reader of OpenAPI documents that says what is wrong with a request."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port

START_S = 90.0
ABOUT_REQUESTS = {
    "UNPROCESSABLE_ENTITY",
    "INVALID_CONTENT_TYPE",
    "NO_PATH_MATCHED_ERROR",
    "NO_METHOD_MATCHED_ERROR",
    "UNAUTHORIZED",
}
"""What Prism finds wrong with a request; anything else that it tells is about its own made-up answers."""


@dataclass(frozen=True)
class Request:
    """What a client sent; `path` with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Prism:
    """A running mock of one document."""

    port: int

    def complain(self, request: Request) -> str:
        """What is wrong with a request, "" where nothing is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(request.method, request.path, request.body or None, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        said = _violations(answer.getheader("sl-violations") or "[]")
        if not said and "problem+json" in (answer.getheader("content-type") or ""):
            problem = json.loads(body)
            kind = str(problem.get("type", "")).rpartition("#")[2]
            said = f"{kind}: {problem.get('validation') or problem.get('detail')}" if kind in ABOUT_REQUESTS else ""
        return f"{request.method} {request.path}: {said}" if said else ""


def _violations(header: str) -> str:
    """Where a document tells how errors look, Prism answers in that form, and says only in a header what was wrong."""
    found = [one for one in json.loads(header) if one["location"][0] == "request"]
    return "; ".join(f"INVALID: {'.'.join(map(str, one['location']))}: {one['message']}" for one in found)


def program() -> str:
    """Prism's program: HUBBUB_PRISM or the one on the path; the test is skipped, with the reason, where there is none."""
    found = os.environ.get("HUBBUB_PRISM") or shutil.which("prism")
    if not found:
        pytest.skip("Prism is not installed: npm install @stoplight/prism-cli, and set HUBBUB_PRISM to its program")
    return found


@contextmanager
def prism(document: Mapping[str, Any], folder: Path) -> Iterator[Prism]:
    """Prism beside the test, with this document."""
    file, port = folder / "document.json", free_port()
    file.write_text(json.dumps(document))
    command = [program(), "mock", "--port", str(port), "--errors", str(file)]
    with (folder / "prism.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        await_port(port, process, folder / "prism.log")
        yield Prism(port)
    finally:
        process.terminate()
        process.wait(30)


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until Prism answers anything."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.2)
        else:
            return
        finally:
            connection.close()
    raise AssertionError(f"Prism did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
