"""Records of HubSpot: written by key or, where people merge them, by id; associated with their authors; archived."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from hub import ConnectorError, Delivery, Outcome, Rejected, RemoteRef, Unavailable, Uncertain
from hub.sdk.batches import FOR_ALL, chunks
from hub.sdk.doc import Doc
from hub.sdk.http.errors import Effect
from hub.sdk.records import (
    Landed,
    RecordRow,
    Result,
    Results,
    Writer,
    follow_merges,
    is_spoilt,
    one_call_each,
    outcomes_of,
)
from plugins.hubspot import erasure, translate
from plugins.hubspot.client import HubSpotClient, site_of

BATCH = 100  # records of one call: HubSpot, "batch upsert"
PEOPLES = frozenset({"contacts", "companies"})  # people merge and delete these: what is known is written by its id
GONE = "OBJECT_NOT_FOUND"
PATIENCE = 3  # attempts that wait for the index of merged records


class HubSpotRecords:
    """Records of one object, for the length of a call."""

    def __init__(self, client: HubSpotClient, object_: str) -> None:
        self._client, self._object = client, object_
        self._type = client.options.type_of(object_)

    def upsert(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Write them, 100 a call, and associate what is new with its author."""
        rows, refused = translate.rows_and_refusals(deliveries)
        results = self._write(rows)
        results |= self._associate(rows, results)
        landed = any(isinstance(one, Landed) for one in results.values())
        site = site_of(self._client, self._object) if landed else None
        outcomes = outcomes_of(rows, results, lambda _, made: ref_of(made.id or "", site))
        return outcomes + [Outcome.failed(one, refused[one.id]) for one in deliveries if one.id in refused]

    def find(self, deliveries: Sequence[Delivery]) -> dict[str, str]:
        """Return the ids of records by key; keys that do not exist are left out."""
        found: dict[str, str] = {}
        by_field = sorted(deliveries, key=lambda item: item.key_field)
        for key_field, group in groupby(by_field, lambda item: item.key_field):
            found |= translate.ids_by_key(self._read(key_field, [item.record_key for item in group]), key_field)
        return found

    def archive(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Empty records and move them to the recycling bin (204 also if they are there already).

        Contacts and companies belong to the people who work with them: what was written is emptied, and a person is asked.
        """
        known = self.find([item for item in deliveries if item.ref is None])
        ids = {item.id: item.ref.id if item.ref else known.get(item.record_key) for item in deliveries}
        there = [(id_, item) for item in deliveries if (id_ := ids[item.id]) is not None]
        changed = self._empty(there) if there else {}
        if self._object in PEOPLES:
            left = {item.id: changed.get(id_, ()) for id_, item in there}
            return [_kept(item, left[item.id]) if item.id in left else Outcome.delivered(item) for item in deliveries]
        if there:
            self._post("batch/archive", {"inputs": [{"id": id_} for id_ in sorted({id_ for id_, _ in there})]})
        return [Outcome.delivered(item, item.ref) for item in deliveries]

    # ------------------------------------------------------------------------------------------------------- writing

    def _write(self, rows: Sequence[RecordRow]) -> Results:
        is_known = self._object in PEOPLES
        known = [row for row in rows if row.id and is_known]
        fresh = [replace(row, id=None) if row.id else row for row in rows if not (row.id and is_known)]
        by_id = self._writer(lambda error: is_spoilt(error) or error.details.get("status") == 404)
        results, again = follow_merges(known, by_id.write, is_gone=_is_gone, winners=self._winners)
        held, unread = self._held([*fresh, *again])
        ready = [row.filling(held.get(row.key, {})) for row in (*fresh, *again) if row.trace not in unread]
        return results | unread | self._writer(is_spoilt).write(ready)

    def _writer(self, spoils: object) -> Writer:
        named = self._client.refusals
        return Writer(
            one_call_each(self._put),
            size=BATCH,
            spoils=spoils,  # type: ignore[arg-type]  # a function of an error
            culprits=lambda error, part: translate.culprits_of(named.get(error), part),
        )

    def _put(self, rows: Sequence[RecordRow]) -> Mapping[str, Result]:
        """Make one call: by id if that is known, else by key."""
        answer = self._post("batch/update" if rows[0].id else "batch/upsert", translate.inputs_of(rows))
        if not answer:
            raise Uncertain("HubSpot answered without readable JSON")
        return translate.results_of(answer, rows)

    def _held(self, rows: Sequence[RecordRow]) -> tuple[dict[str, Mapping[str, object]], Results]:
        """Return what records hold of what is only filled, if a person had made them before us; one call for 100 rows."""
        held: dict[str, Mapping[str, object]] = {}
        unread: Results = {}
        asked = sorted((row for row in rows if row.once), key=lambda row: row.key_field)
        for key_field, group in groupby(asked, lambda row: row.key_field):
            for part in chunks(list(group), BATCH):
                names = sorted({name for row in part for name in row.once})
                try:
                    answer = self._read(key_field, [row.key for row in part], *names)
                    held |= translate.held_by_key(answer, key_field)
                except ConnectorError as error:
                    unread |= {row.trace: error for row in part}
        return held, unread

    def _winners(self, rows: Sequence[RecordRow]) -> Mapping[str, str | ConnectorError | None]:
        found: dict[str, str | ConnectorError | None] = {}
        stop: ConnectorError | None = None
        for row in rows:
            try:
                found[row.trace] = stop or self._winner(row)
            except ConnectorError as error:
                found[row.trace], stop = error, error if isinstance(error, FOR_ALL) and error.code != GONE else None
        return found

    def _winner(self, row: RecordRow) -> str | None:
        """Find where a record went: HubSpot forwards the ids of merged contacts, else a search knows them; None: deleted."""
        path = self._client.path("objects", self._type, row.id or "")
        answer = self._client.get(path, also=(404,))
        if answer.status == 200:
            return answer.doc.id("id") or row.id
        if found := self._post("search", translate.merged_into(row.id or "")).id("results.0.id"):
            return found
        archived = self._client.get(path, params={"archived": "true"}, also=(404,))
        if archived.status == 200 or row.last.attempt > PATIENCE:
            return None
        raise Unavailable("the record is gone, and the search knows no winner yet", retry_after=30, code=GONE)

    # -------------------------------------------------------------------------------------------------- associations

    def _associate(self, rows: Sequence[RecordRow], results: Results) -> Results:
        """Associate new records with their authors, one call for each kind of author record; gives the errors.

        "New" is also what no earlier delivery has confirmed: a crash between upsert and association must not leave a gap; and
        people's records always are: a person has several authors, and each delivery may name another.
        The default association may be made again and again.
        """
        options = self._client.options
        wanted: dict[str, list[tuple[RecordRow, str, str]]] = {}
        for row in rows if options.associate else ():
            parent, made = row.parents.get("author"), results[row.trace]
            if parent is None or not isinstance(made, Landed):
                continue
            if made.new or row.last.ref is None or self._object in PEOPLES:
                type_ = translate.type_in_url(parent.url) or options.type_of(options.author_object)
                wanted.setdefault(type_, []).append((row, made.id or "", parent.id))
        failed: Results = {}
        for type_, links in wanted.items():
            failed |= self._link(type_, links)
        return failed

    def _link(self, type_: str, links: Sequence[tuple[RecordRow, str, str]]) -> Results:
        """Make one batch call; a record without its association is not delivered."""
        path = self._client.path("associations", self._type, type_, "batch/associate/default")
        inputs = [{"from": {"id": id_}, "to": {"id": parent}} for _, id_, parent in links]
        try:
            failed = translate.failed_links(self._client.post(path, {"inputs": inputs}).doc)
        except ConnectorError as error:
            return {row.trace: error for row, _, _ in links}
        return {row.trace: failed[id_] for row, id_, _ in links if id_ in failed}

    # --------------------------------------------------------------------------------------------------------- calls

    def _empty(self, there: Sequence[tuple[str, Delivery]]) -> dict[str, tuple[str, ...]]:
        """Take out of records what was written; gives what people have changed since, by id.

        Those of our own objects that are gone already are archived as they are.
        """
        known = self._properties()
        held = self._changeable(there)
        empty = {id_: erasure.blanks_of(item, known, held.get(id_, {})) for id_, item in there}
        inputs = [
            {"id": id_, "properties": fields, "objectWriteTraceId": id_}
            for id_, (fields, _) in sorted(empty.items())
            if fields
        ]
        if inputs:
            try:
                self._post("batch/update", {"inputs": inputs})
            except Rejected as error:
                if self._object in PEOPLES and not _is_gone(error):
                    raise
                self._client.ctx.log.warning("records of %s are archived with their words: %s", self._object, error)
        return {id_: changed for id_, (_, changed) in empty.items()}

    def _properties(self) -> Collection[str]:
        """Return the names of the object's properties that can be written."""
        answer = self._client.get(self._client.path("properties", self._type)).doc
        return {name for name, one in translate.object_info(self._object, answer).fields.items() if one.writable}

    def _changeable(self, there: Sequence[tuple[str, Delivery]]) -> dict[str, Mapping[str, object]]:
        """Return what records hold of the properties that people may have changed since, by id."""
        asked = [(id_, item) for id_, item in there if any(item.written.values())]
        names = sorted({name for _, item in asked for name, mark in item.written.items() if mark})
        if not names:
            return {}
        inputs = [{"id": id_} for id_ in sorted({id_ for id_, _ in asked})]
        body = {"properties": names, "propertiesWithHistory": [], "inputs": inputs}
        answer = self._post("batch/read", body)
        return {one.id("id"): one.doc("properties").data for one in answer.docs("results")}

    def _read(self, key_field: str, keys: Sequence[str], *names: str) -> Doc:
        """Return a batch read of at most 100 records by key."""
        return self._post("batch/read", translate.read_body(key_field, keys, names))

    def _post(self, what: str, body: object) -> Doc:
        effect: Effect = "reads" if what in ("batch/read", "search") else "again"
        return self._client.post(self._client.path("objects", self._type, what), body, effect=effect).doc


def ref_of(id_: str, site: str | None) -> RemoteRef:
    """Return a record's reference, with its page if the site is known."""
    return RemoteRef(id_, f"{site}/{id_}" if site else None)


def _kept(item: Delivery, changed: Sequence[str]) -> Outcome:
    said = (
        "what the hub wrote was emptied, but the history of its properties keeps it, and the record belongs to the people who"
        " work with it: delete it for good in HubSpot"
    )
    more = f" (changed there since, and left: {', '.join(changed)})" if changed else ""
    return Outcome.failed(item, Rejected(said + more, code="contact"))


def _is_gone(result: Result) -> bool:
    return isinstance(result, Rejected) and result.code == GONE
