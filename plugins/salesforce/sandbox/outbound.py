"""Outbound Messages of the look-alike: SOAP, up to a hundred notifications, sent until they are answered with Ack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from hub.testkit.sandbox import Attempt, Event, Teller

ORGANIZATION = "00D000000000001EAA"
ATTEMPTS = 3  # Salesforce goes on for a day
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}


def message(notifications: Sequence[tuple[str, str, Mapping[str, object]]]) -> bytes:
    """Return a message about records: each a notification's id, the object's name, and its fields."""
    inner = "".join(_notification(*one) for one in notifications)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{ORGANIZATION}</OrganizationId><ActionId>04k000000000001AAA</ActionId>"
        '<SessionId xsi:nil="true"/><EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/67.0</EnterpriseUrl>'
        "<PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/67.0</PartnerUrl>"
        f"{inner}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def _notification(id_: str, object_: str, fields: Mapping[str, object]) -> str:
    inner = "".join(
        f"<sf:{name}>{escape(_word(value))}</sf:{name}>" for name, value in fields.items() if value is not None
    )
    return (
        f'<Notification><Id>{id_}</Id><sObject xsi:type="sf:{object_}"'
        f' xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{inner}</sObject></Notification>'
    )


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Outbound:
    """The org's one outbound message action. `target` is where it goes, "" keeps nothing and sends nothing."""

    def __init__(self, target: str, teller: Teller) -> None:
        self.target = target
        self._teller = teller

    def send(self, body: bytes) -> None:
        """Send beside the caller, as a transaction does not wait for its messages."""
        if self.target:
            self._teller.send(Event("message", self.target, lambda _: (_HEADERS, body), _again))


def _again(attempt: Attempt) -> float | None:
    taken = attempt.status == 200 and b"<Ack>true</Ack>" in attempt.content
    return None if taken or attempt.number >= ATTEMPTS else 0.0
