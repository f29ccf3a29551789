"""Whether a certificate can be read, fits its key, its name and the time.

A handshake in memory: one end shows the certificate, the other trusts nothing but it.
So OpenSSL itself judges the key, the dates and the name, as it will for browsers.
"""

import ssl
from collections.abc import Callable
from pathlib import Path

from kefu_core.node import unix_ms
from kefu_server.checks import Check, ok, problem, warning

_SUBJECT = "certificate"
_DAY_MS = 86_400_000
_SOON_DAYS = 14
_FINDINGS = {9: "early", 10: "expired", 62: "name", 64: "name"}
"""OpenSSL's X509_V_ERR numbers."""


def check_certificate(
    certificate: str, key: str, host: str, *, now_ms: Callable[[], int] = unix_ms
) -> Check:
    """Try a certificate with its chain, and its key, both PEM files.

    Args:
        certificate: The path of the certificate and its chain.
        key: The path of the private key.
        host: The name that browsers will ask for.
        now_ms: This machine's clock, for how long it is still good.
    """
    for path in (certificate, key):
        try:
            Path(path).read_bytes()
        except OSError as error:
            return problem(_SUBJECT, "unread", path=path, why=error.strerror or "?")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError, OSError) as error:
        why = getattr(error, "reason", None) or str(error)
        return problem(_SUBJECT, "pair", path=certificate, key=key, why=str(why))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    try:
        until_ms = _shake_hands(server, client, host)
    except ssl.SSLCertVerificationError as error:
        finding = _FINDINGS.get(error.verify_code, "invalid")
        why = error.verify_message
        return problem(_SUBJECT, finding, path=certificate, host=host, why=why)
    except ssl.SSLError as error:
        why = error.reason or str(error)
        return problem(_SUBJECT, "invalid", path=certificate, host=host, why=why)
    days = (until_ms - now_ms()) // _DAY_MS
    facts = {"host": host, "days": str(days)}
    return (warning if days < _SOON_DAYS else ok)(
        _SUBJECT, "soon" if days < _SOON_DAYS else "valid", **facts
    )


def _no_password() -> str:
    """Answer for an encrypted key: OpenSSL would ask on the terminal."""
    raise ValueError("the key is encrypted; nginx and kefu need it without a password")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> int:
    """Let the two meet; return until when the certificate is good, Unix ms."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        waiting = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(end)
        if ends[0] not in waiting:
            break
    shown = ends[0].getpeercert() or {}
    return int(ssl.cert_time_to_seconds(str(shown["notAfter"])) * 1000)
