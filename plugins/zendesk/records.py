"""Records of custom objects: written and deleted by jobs, read back by external id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hub import ConnectorError, Delivery, Outcome, RemoteRef, Retryable, Uncertain
from hub.sdk.batches import chunks
from hub.sdk.doc import Doc
from hub.sdk.records import Landed, RecordRow, Result, Results, Writer, outcomes_of, rows_of
from plugins.zendesk import translate
from plugins.zendesk.client import Jobs, ZendeskClient
from plugins.zendesk.config import ZendeskOptions


class ZendeskRecords:
    """The custom objects of an account, for the length of a call."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client, self._options = client, options
        self._jobs = Jobs(client, options, pause)

    def upsert(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch of one object; an item whose id the job does not tell is read back."""
        rows, object_ = rows_of(batch), batch[0].object

        def send(parts: Sequence[Sequence[RecordRow]]) -> list[Mapping[str, Result] | ConnectorError]:
            bodies = [translate.upsert_job(part, self._options.author_field) for part in parts]
            jobs = self._jobs.run(f"{self._path(object_)}/jobs", bodies)
            return [_results(job, part) for job, part in zip(jobs, parts, strict=True)]

        results = Writer(send, size=translate.MOST).write(rows)
        refs = self._read_back(object_, [row for row in rows if results[row.trace] == Landed()], results)
        return outcomes_of(rows, results, lambda row, made: RemoteRef(made.id) if made.id else refs[row.key])

    def find(self, object_: str, keys: Sequence[str]) -> dict[str, RemoteRef]:
        """Return the records that exist, by external id."""
        found: dict[str, RemoteRef] = {}
        for part in chunks(keys, translate.MOST):
            wanted = {"filter[external_ids]": ",".join(part), "page[size]": "100"}
            records = self._client.get(f"{self._path(object_)}/records", **wanted).docs("custom_object_records")
            found |= {one.id("external_id"): RemoteRef(one.id("id")) for one in records if one.id("id")}
        return found

    def delete(self, object_: str, keys: Sequence[str]) -> dict[str, ConnectorError]:
        """Delete records; gives the error of each that is still there. What is absent is deleted already."""
        present = list(self.find(object_, keys))
        parts = [list(part) for part in chunks(present, translate.MOST)]
        bodies = [{"job": {"action": "delete_by_external_id", "items": part}} for part in parts]
        failed: dict[str, ConnectorError] = {}
        for part, job in zip(parts, self._jobs.run(f"{self._path(object_)}/jobs", bodies), strict=True):
            said = dict.fromkeys(part, job) if isinstance(job, ConnectorError) else translate.results_of(job, part)
            failed |= {key: one for key, one in said.items() if isinstance(one, ConnectorError)}
        left = self.find(object_, present)
        return {key: failed.get(key) or Retryable("the record is still there after its deletion") for key in left}

    def _path(self, object_: str) -> str:
        return f"custom_objects/{self._options.objects.get(object_, object_)}"

    def _read_back(self, object_: str, rows: Sequence[RecordRow], results: Results) -> dict[str, RemoteRef]:
        """Find what was written without a name; what cannot be found is in doubt."""
        try:
            found = self.find(object_, [row.key for row in rows])
            doubt = Uncertain("the job ended and says nothing of this record")
        except ConnectorError as error:
            found, doubt = {}, Uncertain(f"written, but not to be read back: {error}")
        results |= {row.trace: doubt for row in rows if row.key not in found}
        return found


def _results(job: Doc | ConnectorError, part: Sequence[RecordRow]) -> Mapping[str, Result] | ConnectorError:
    if isinstance(job, ConnectorError):
        return job
    found = translate.results_of(job, [row.key for row in part])
    return {row.trace: found[row.key] for row in part if row.key in found}
