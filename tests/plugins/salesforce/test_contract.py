"""The contract of destinations, with a token that nobody renews and with tokens that are minted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.testkit.contracts import DestinationContract, Sample
from plugins.salesforce.destination import SalesforceDestination

PATCH = {"method": "PATCH"}


def lead(number: int) -> dict[str, Any]:
    return {"LastName": f"Person {number}", "Company": "Not provided", "Social_Sentiment_Score__c": number / 10}


class TestSalesforceContract(DestinationContract):
    destination = SalesforceDestination
    results_in_order = True  # sObject Collections: "the results are in the order of the records"
    samples = (
        Sample("Social_Author__c", "upsert", lambda n: {"Name": f"Author {n}"}, key_field="Author_Key__c", write=PATCH),
        Sample("Social_Signal__c", "upsert", lambda n: {"Text__c": f"t {n}"}, key_field="Signal_Key__c", write=PATCH),
        Sample("Lead", "upsert", lead, key_field="Social_Author_Key__c", write=PATCH),
    )

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"instance_url": url, "access_token": "sandbox-token"}

    def words(self, sample: Sample, number: int) -> Sequence[str]:
        """A Lead belongs to the people who work with it, and keeps its name."""
        return () if sample.object == "Lead" else super().words(sample, number)


class TestSalesforceContractWithMintedTokens(TestSalesforceContract):
    samples = TestSalesforceContract.samples[:1]

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        return {"instance_url": url, "client_id": "app", "client_secret": "s3cret-of-the-app"}
