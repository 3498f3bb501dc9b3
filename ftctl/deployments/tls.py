"""TLS: a certificate tried as a client will meet it before the server starts, and trusted by ftctl's client.

The handshake is made in memory: it finds a key that does not belong to the certificate, one that has run out
or that its authority did not sign, and by which name the server can be reached.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.deployments.ports import reachable
from ftctl.deployments.store import CA, RECORD
from ftctl.errors import UsageError
from ftctl.paths import deployments_dir


@dataclass(frozen=True)
class Secured:
    """`host` is the name in the URL and in the certificate, `ca` the PEM text that clients trust."""

    host: str
    ca: str


def check_tls(tls: Mapping[str, Path], address: str) -> Secured:
    """How a server at `address` is trusted by this certificate. Raises UsageError where it cannot be."""
    for file in tls.values():
        if not file.is_file() or not os.access(file, os.R_OK):
            raise UsageError(f"deploy.tls: {file} cannot be read", "name the PEM files of your certificate")
    ca = (tls.get("ca") or tls["certificate"]).read_text(errors="replace")
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An encrypted key would make the server ask for its password.
        server.load_cert_chain(tls["certificate"], tls["key"], password="")
        peer = _shown(server, _trusting(ca))
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            f"deploy.tls: clients will not trust the certificate: {error.verify_message}",
            "set tls.ca to its authority's certificate, or renew it",
        ) from None
    except (ssl.SSLError, ValueError, OSError) as error:
        why = getattr(error, "reason", None) or error
        raise UsageError(
            f"deploy.tls: certificate and key cannot be used: {why}",
            "the key must be the certificate's own, both PEM, the key without a password",
        ) from None
    return Secured(_host(peer, reachable(address)), ca)


def _trusting(ca: str) -> ssl.SSLContext:
    """A client that trusts the system's authorities, and any certificate of `ca` itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.load_verify_locations(cadata=ca)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _shown(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    """What a client sees of the certificate. Raises SSLCertVerificationError where it does not trust it."""
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server)
    answers = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (asks, answers):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(asks.getpeercert() or {})


def _host(peer: Mapping[str, object], address: str) -> str:
    """The name by which the certificate can be trusted at `address`."""
    named = peer.get("subjectAltName")
    names = [(str(kind), str(value)) for kind, value in (named if isinstance(named, tuple) else ())]
    addresses = [value for kind, value in names if kind == "IP Address"]
    dns = [value for kind, value in names if kind == "DNS"]
    bare = address.strip("[]")
    if bare in addresses or address in dns:
        return address
    if bare.startswith("127.") or bare in ("::1", "localhost"):
        own = [name for name in ("localhost", "127.0.0.1") if name in dns or name in addresses]
        if own:
            return own[0]
    plain = [name.replace("*", socket.gethostname().partition(".")[0], 1) for name in dns]
    if not plain:
        raise UsageError(
            f"deploy.tls: the certificate names {', '.join(addresses) or 'no address'}, and not {address}",
            "make one whose subjectAltName has the server's name or address",
        )
    return plain[0]


def trust_of(url: str) -> tuple[str | None, ssl.SSLContext]:
    """Where to connect for an https address, and whom to trust: what the deployment was started with.

    None is the address's own host, and the system's authorities are trusted, where it is no deployment's.
    """
    root = deployments_dir()
    for name in os.listdir(root) if root.is_dir() else ():
        try:
            record = json.loads((root / name / RECORD).read_text())["deployment"]
            if record["url"] == url and record.get("listens"):
                return str(record["listens"]), _trusting((root / name / CA).read_text())
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None, ssl.create_default_context()
