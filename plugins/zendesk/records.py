"""Records of custom objects: written and deleted by jobs, read back by external id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub import ConnectorError, Delivery, Outcome, Rejected, RemoteRef, Retryable, Uncertain
from hub.sdk.batches import chunks
from plugins.zendesk import translate
from plugins.zendesk.client import Jobs, ZendeskClient
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.translate import Made, Row


class Records:
    """The custom objects of an account, for the length of a call."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client = client
        self._options = options
        self._pause = pause

    def upsert(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch of one object; an item whose id the job does not tell is read back."""
        rows = translate.rows_of(batch, self._options.author_field)
        object_ = batch[0].object
        made = self._run(object_, [list(chunk) for chunk in chunks(rows, translate.MOST)])
        unnamed = [key for key, one in made.items() if one.error is None and one.id is None]
        refs = {key: RemoteRef(one.id) for key, one in made.items() if one.id is not None}
        if unnamed:
            try:
                refs |= self.find(object_, unnamed)
            except ConnectorError as error:
                made |= {key: Made(error=Uncertain(f"written, but not to be read back: {error}")) for key in unnamed}
        return [_outcome(one, made.get(row.key), refs.get(row.key)) for row in rows for one in row.deliveries]

    def find(self, object_: str, keys: Sequence[str]) -> dict[str, RemoteRef]:
        """The records that exist, by external id."""
        found: dict[str, RemoteRef] = {}
        for part in chunks(keys, translate.MOST):
            wanted = {"filter[external_ids]": ",".join(part), "page[size]": "100"}
            answer = self._client.get(f"{self._path(object_)}/records", **wanted)
            records = [one for one in answer.get("custom_object_records") or () if isinstance(one, Mapping)]
            found |= {str(one.get("external_id")): RemoteRef(str(one["id"])) for one in records if one.get("id")}
        return found

    def delete(self, object_: str, keys: Sequence[str]) -> dict[str, ConnectorError]:
        """Delete records; gives the error of each that is still there. What is absent is deleted, whoever did it."""
        present = list(self.find(object_, keys))
        parts = [list(part) for part in chunks(present, translate.MOST)]
        bodies = [{"job": {"action": "delete_by_external_id", "items": part}} for part in parts]
        jobs = Jobs(self._client, self._options, self._pause).run(f"{self._path(object_)}/jobs", bodies)
        failed: dict[str, ConnectorError] = {}
        for part, job in zip(parts, jobs, strict=True):
            failed |= dict.fromkeys(part, job) if isinstance(job, ConnectorError) else _refused(job, part)
        left = self.find(object_, present)
        return {key: failed.get(key) or Retryable("the record is still there after its deletion") for key in left}

    def _path(self, object_: str) -> str:
        return f"custom_objects/{self._options.objects.get(object_, object_)}"

    def _run(self, object_: str, parts: list[list[Row]]) -> dict[str, Made]:
        """Write the parts by jobs. A part that is refused as a whole is halved, so that one bad record fails alone."""
        bodies = [translate.upsert_job(part) for part in parts]
        jobs = Jobs(self._client, self._options, self._pause).run(f"{self._path(object_)}/jobs", bodies)
        made: dict[str, Made] = {}
        halves: list[list[Row]] = []
        for part, job in zip(parts, jobs, strict=True):
            if isinstance(job, Rejected) and len(part) > 1 and job.details.get("status") in (400, 413, 422):
                halves += [part[: len(part) // 2], part[len(part) // 2 :]]
            elif isinstance(job, ConnectorError):
                made |= {row.key: Made(error=job) for row in part}
            else:
                made |= translate.results_of(job, [row.key for row in part])
        return made | (self._run(object_, halves) if halves else {})


def _refused(job: Mapping[str, Any], keys: Sequence[str]) -> dict[str, ConnectorError]:
    """The items that a completed job of deletions has refused."""
    return {key: made.error for key, made in translate.results_of(job, keys).items() if made.error is not None}


def _outcome(delivery: Delivery, made: Made | None, ref: RemoteRef | None) -> Outcome:
    if made is not None and made.error is not None:
        return Outcome.failed(delivery, made.error)
    if ref is None:
        return Outcome.failed(delivery, Uncertain("the job ended and says nothing of this record"))
    return Outcome.delivered(delivery, ref)
