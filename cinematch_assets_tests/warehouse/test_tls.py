"""TLS to a real server: the certificate is verified where the URL asks for it, and channel binding is possible."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cinematch_assets.warehouse.connection import WarehouseUnavailableError, connect
from cinematch_assets.warehouse.copy import read_frame
from cinematch_assets_tests.support.servers import postgres15, short_folder

PASSWORD = "a-canary-of-tls"


@dataclass(frozen=True)
class TlsServer:
    """A server that answers TCP by TLS and asks for a password, the CA of its certificate, and another CA."""

    port: str
    authority: Path
    other_authority: Path

    def url(self, **options: object) -> str:
        given = {
            "host": "localhost",
            "hostaddr": "127.0.0.1",
            "port": self.port,
            "channel_binding": "require",
            **options,
        }
        return f"postgresql://postgres:{PASSWORD}@/postgres?" + "&".join(f"{k}={v}" for k, v in given.items())


def make_authority(folder: Path, name: str) -> Path:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    order = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl(*order, "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    return certificate


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def server() -> Iterator[TlsServer]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl: no program of that name here")
    with short_folder() as folder:
        authority, other = make_authority(folder, "ca"), make_authority(folder, "other")
        key, request, certificate = folder / "server.key", folder / "server.csr", folder / "server.crt"
        new = [
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=localhost",
        ]
        openssl(*new, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", request)
        sign = ["x509", "-req", "-days", "2", "-copy_extensions", "copy", "-CAcreateserial"]
        openssl(*sign, "-in", request, "-CA", authority, "-CAkey", folder / "ca.key", "-out", certificate)

        def prepare(data: Path) -> Sequence[str]:
            owner = data.stat()
            for name in ("server.key", "server.crt"):
                shutil.copy(folder / name, data / name)
                os.chown(data / name, owner.st_uid, owner.st_gid)
                (data / name).chmod(0o600)
            (data / "pg_hba.conf").write_text(
                "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n", encoding="ascii"
            )
            return ["-c", "ssl=on"]

        with postgres15(prepare) as started:
            with psycopg.connect(started.url, autocommit=True) as connection:
                connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'".encode())
            yield TlsServer(str(conninfo_to_dict(started.url)["port"]), authority, other)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
def test_a_certificate_of_the_named_authority_is_accepted_with_channel_binding(server: TlsServer, mode: str) -> None:
    url = server.url(sslmode=mode, sslrootcert=server.authority)
    with connect(url) as connection:
        encrypted = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert encrypted == (True,)
    assert read_frame(url, "SELECT 1 AS n")["n"].tolist() == [1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"sslmode": "verify-full", "sslrootcert": "other"},
            "certificate verify failed.*sslrootcert has to name the CA",
        ),
        ({"sslmode": "verify-ca", "sslrootcert": "other"}, "certificate verify failed.*sslrootcert has to name"),
        (
            {"sslmode": "verify-full", "host": "db.example"},
            "does not match host name .*db.example.*DATABASE_URL its host",
        ),
        ({"sslmode": "disable"}, "channel binding|no pg_hba.conf entry|no encryption"),
    ],
)
def test_another_authority_another_host_and_no_encryption_are_refused(
    server: TlsServer, options: dict[str, str], reason: str
) -> None:
    authority = server.other_authority if options.get("sslrootcert") == "other" else server.authority
    url = server.url(**{**options, "sslrootcert": authority})
    with pytest.raises(WarehouseUnavailableError, match=reason) as refused, connect(url):
        pass
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(WarehouseUnavailableError) as refused:
        read_frame(url, "SELECT 1 AS n")
    assert PASSWORD not in str(refused.value)
