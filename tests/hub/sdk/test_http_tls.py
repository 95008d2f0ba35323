"""TLS is spoken with the name that was asked for, though the connection goes to an address that was checked."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.core.errors import Unavailable
from hub.sdk.http import Guard, Policy
from hub.sdk.http.egress import Egress
from hub.testkit.fakes import answer
from hub.testkit.server import LocalServer

x509 = pytest.importorskip("cryptography.x509", reason="certificates are made with cryptography")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for secure.example, with its key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "secure.example")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=36_500))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("secure.example")]), critical=False)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(encoding, form, serialization.NoEncryption())
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(encoding))
    return path


def serve(certificate: Path) -> LocalServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return LocalServer(lambda _: answer(200, "safe"), tls=context)


def guard(trusted: Path | None) -> Guard:
    egress = Egress(("*",), allow_private=True, resolve=lambda host, port: ["127.0.0.1"])
    tls = ssl.create_default_context(cafile=str(trusted)) if trusted else None
    return Guard(egress, Policy(timeout=5, retries=0, tls=tls))


def test_the_certificate_is_held_to_the_name(certificate: Path) -> None:
    with serve(certificate) as server, guard(certificate) as http:
        assert http.send("GET", f"https://secure.example:{server.port}/").json() == "safe"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_another_name_is_refused_before_anything_is_sent(certificate: Path, host: str) -> None:
    with serve(certificate) as server, guard(certificate) as http, pytest.raises(Unavailable) as caught:
        http.send("POST", f"https://{host}:{server.port}/")
    assert (caught.value.code, server.requests) == ("connect", [])


def test_an_unknown_authority_is_refused(certificate: Path) -> None:
    with serve(certificate) as server, guard(None) as http, pytest.raises(Unavailable) as caught:
        http.send("POST", f"https://secure.example:{server.port}/")
    assert (caught.value.code, server.requests) == ("connect", [])
