"""Answers to entries: posted once, and found again after a doubt."""

from hub import Rejected, RemoteRef, Reply
from hub.sdk.replies import Length, find_own
from hubbub_echo.client import EchoClient

LENGTH = Length(500)
"""The guest book takes 500 characters, as readers count them."""


def post(client: EchoClient, reply: Reply) -> RemoteRef:
    """Write the answer. The key is the same for every attempt, and the guest book keeps it for an hour."""
    LENGTH.check(reply.text, "the guest book")
    if client.is_gone(reply.to.native_id):
        raise Rejected("the entry is gone", code="gone")
    return client.answer(reply.to.native_id, reply.text, reply.key)


def find(client: EchoClient, reply: Reply) -> RemoteRef | None:
    """Find our own answer to this entry with these words, since the first attempt. Raises Uncertain, never guesses."""
    return find_own(client.own_entries(), reply, reply.text, parents=[reply.to.native_id])
