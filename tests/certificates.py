"""Makes certificates for tests, by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(folder: Path, *words: str) -> None:
    """One call of openssl in `folder`; skips where the machine has none."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


def authority(folder: Path) -> Path:
    """A certificate authority's certificate, `ca.pem` in `folder`, its key beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    _key(folder, "ca.key")
    openssl(folder, "req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    return folder / "ca.pem"


def certificate(
    folder: Path, names: str = "DNS:localhost,IP:127.0.0.1", *, days: int = 30
) -> dict[str, Path]:
    """A certificate for `names` that the authority in `folder` has signed, as deploy.tls names it."""
    authority(folder)
    _key(folder, "key.pem")
    openssl(folder, "req", "-new", "-key", "key.pem", "-out", "request.pem", "-subj", "/CN=server")
    (folder / "names").write_text(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
    signed_by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl(folder, "x509", "-req", "-in", "request.pem", *signed_by,
            "-out", "cert.pem", "-days", str(days), "-extfile", "names")  # fmt: skip
    return {"certificate": folder / "cert.pem", "key": folder / "key.pem", "ca": folder / "ca.pem"}


def self_signed(folder: Path) -> dict[str, Path]:
    """A certificate for localhost that nobody else has signed."""
    folder.mkdir(parents=True, exist_ok=True)
    _key(folder, "key.pem")
    openssl(folder, "req", "-x509", "-new", "-key", "key.pem", "-out", "cert.pem", "-days", "30",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")  # fmt: skip
    return {"certificate": folder / "cert.pem", "key": folder / "key.pem"}


def _key(folder: Path, name: str) -> None:
    openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name)
