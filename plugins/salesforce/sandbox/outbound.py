"""Outbound Messages of the look-alike: SOAP, up to a hundred notifications, sent until somebody says Ack."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from hub import ConnectorError
from hub.sdk.http import open_guard

ORGANIZATION = "00D000000000001EAA"
ATTEMPTS = 3  # Salesforce goes on for a day
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}


def message(notifications: Sequence[tuple[str, str, Mapping[str, object]]]) -> bytes:
    """A message about records: each a notification's id, the object's name, and its fields."""
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

    def __init__(self, target: str) -> None:
        self.target = target
        self.answers: list[tuple[int, bytes]] = []

    def send(self, body: bytes) -> None:
        """Send beside the caller, as a transaction does not wait for its messages."""
        if self.target:
            threading.Thread(target=self._post, args=(self.target, body), daemon=True).start()

    def _post(self, target: str, body: bytes) -> None:
        with open_guard(allow_private=True) as http:
            for _ in range(ATTEMPTS):
                try:
                    answer = http.send("POST", target, headers=_HEADERS, content=body, timeout=10)
                except ConnectorError:
                    continue
                self.answers.append((answer.status, answer.content))
                if answer.status == 200 and b"<Ack>true</Ack>" in answer.content:
                    return
