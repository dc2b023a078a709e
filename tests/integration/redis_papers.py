"""Certificates for servers that speak TLS, and which server can: not every build of Redis does."""

import functools
import os
import subprocess
from pathlib import Path

import pytest

from conftest import DECLARED
from tests.conformance.redis_servers import server_program


def make_papers(folder: Path) -> Path:
    """Write an authority and its certificates for localhost, a client, and another host into a folder; return it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607 - the machine's

    new_key = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(*new_key, "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test authority")
    names = {"server": "DNS:localhost,IP:127.0.0.1", "client": "DNS:localhost", "elsewhere": "DNS:elsewhere.test"}
    for name, others in names.items():
        openssl(*new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName={others}")
        signed = ("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        openssl(*signed, "-days", "2", "-extfile", "names", "-out", f"{name}.crt")
    return folder


@functools.cache
def _speaks_tls(program: str) -> bool:
    """Ask for TLS without a certificate: who can speak it misses the certificate, who cannot does not know the word."""
    asked = subprocess.run(
        [program, "--port", "0", "--tls-port", "1"], capture_output=True, text=True, timeout=10, check=False
    )
    return "tls-cert-file" in asked.stdout


def tls_options(papers: Path, *, name: str = "server", asks_clients: bool = False) -> tuple[str, ...]:
    """Return the options of a server whose port speaks TLS, with replicas and sentinels too."""
    if not _speaks_tls(server_program()):
        reason = f"{server_program()} cannot speak TLS; TURNKEEPER_REDIS_SERVER names one that can"
        assert not os.environ.get("CI"), reason
        pytest.skip(f"{DECLARED}{reason}")
    return (
        *("--tls-cert-file", f"{papers}/{name}.crt", "--tls-key-file", f"{papers}/{name}.key"),
        *("--tls-ca-cert-file", f"{papers}/ca.crt", "--tls-auth-clients", "yes" if asks_clients else "no"),
        *("--tls-replication", "yes"),
    )
