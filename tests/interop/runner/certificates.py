"""Certificates of one run, made with the `openssl` command: two authorities, a server and a client."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")


class Certificates:
    """Paths of PEM files in one folder."""

    def __init__(self, folder: Path) -> None:
        """Makes everything; raises RuntimeError with the command's own text when `openssl` fails."""
        self._folder = folder
        self.ca = self._authority("ca")
        self.other_ca = self._authority("other-ca")
        self.cert, self.key = self._leaf("server", _SERVER_NAMES, "serverAuth")
        self.client_cert, self.client_key = self._leaf("interop-client", "", "clientAuth")

    def variables(self) -> dict[str, str]:
        """The names by which cases refer to the files."""
        return {
            "ca": str(self.ca),
            "other_ca": str(self.other_ca),
            "server_cert": str(self.cert),
            "server_key": str(self.key),
            "client_cert": str(self.client_cert),
            "client_key": str(self.client_key),
        }

    def _authority(self, name: str) -> Path:
        path = self._folder / f"{name}.pem"
        key = self._folder / f"{name}.key"
        self._openssl(
            *(
                "req",
                "-x509",
                "-days",
                "2",
                *_KEY,
                "-subj",
                f"/CN=interop-{name}",
                "-keyout",
                str(key),
                "-out",
                str(path),
            ),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        return path

    def _leaf(self, name: str, names: str, usage: str) -> tuple[Path, Path]:
        path, key, request = (self._folder / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        extensions = self._folder / f"{name}.ext"
        lines = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={usage}",
        ]
        extensions.write_text("\n".join([*lines, names]) + "\n", encoding="utf-8")
        self._openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        self._openssl(
            *("x509", "-req", "-in", str(request), "-sha256", "-days", "2", "-out", str(path)),
            *("-CA", str(self.ca), "-CAkey", str(self.ca.with_suffix(".key")), "-CAcreateserial"),
            *("-extfile", str(extensions)),
        )
        return path, key

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
