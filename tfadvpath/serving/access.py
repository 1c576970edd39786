"""Way of a client to its server: certificates, a token, headers, proxies."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, quoted

# Names of headers over HTTP and of gRPC's metadata, which is in lower case; its values of -bin are bytes.
_NAME = re.compile(r"(?!.*-bin$)[a-z0-9][a-z0-9_.-]*")
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\]|::1)")


@dataclass(frozen=True)
class Access:
    """Way to a server, the same for every client.

    Attributes:
        token: Bearer token, which is sent with every request; None sends none. It is never sent unencrypted
            to another machine.
        ca: PEM file of the authorities that the server's certificate is checked by; None is those that the
            system, or gRPC, brings.
        certificate: PEM file of the client's certificate and of those between it and its authority; None
            shows none.
        key: PEM file of the certificate's private key; None where the certificate's file holds it.
        metadata: Further headers, by name in lower case; metadata over gRPC.
        tls: Whether gRPC, or DICOM's protocol, is encrypted. It is too where ``ca`` or ``certificate`` is
            given. Over HTTP the address says it by https.
        proxy: Whether requests take the proxies that the environment names, such as ``http_proxy``. A proxy
            reads what is not encrypted.

    Raises:
        InputError: A name or a value cannot be sent, or there is a key without a certificate.
    """

    token: str | None = field(default=None, repr=False)
    ca: Path | str | None = None
    certificate: Path | str | None = None
    key: Path | str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: bool = False
    proxy: bool = False

    def __post_init__(self) -> None:
        if self.key is not None and self.certificate is None:
            raise InputError("`key`", "has no certificate", "Name the file of `certificate` too")
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name):
                raise InputError("`metadata`", f"{quoted(name)} is no name of a header", "Use a-z, 0-9 and -")
            # A line's end would begin another header. The value is not shown: it may be secret.
            if not (value.isascii() and value.isprintable()):
                source = "`token`" if name == "authorization" else "`metadata`"
                raise InputError(source, f"{name} has a value that no header can hold", "Use ASCII letters")

    @property
    def headers(self) -> dict[str, str]:
        """All headers by name: the metadata, and the token where there is one."""
        token = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        return {**self.metadata, **token}

    def check_secret(
        self,
        address: str,
        host: str,
        is_encrypted: bool,
        remedy: str = "Use https:// over REST, `tls` or `ca` over gRPC",
    ) -> None:
        """Checks that no token would cross a network as plain text.

        Args:
            address: Address of the server, for the message.
            host: Name or number of the server's machine.
            is_encrypted: Whether the connection is.
            remedy: An action that helps, for the message.

        Raises:
            InputError: It would.
        """
        if self.token is not None and not is_encrypted and not _LOOPBACK.fullmatch(host):
            raise InputError(address, "would get `token` unencrypted", remedy)

    @property
    def is_encrypted(self) -> bool:
        """Whether gRPC, or DICOM's protocol, is encrypted."""
        return self.tls or self.ca is not None or self.certificate is not None

    def ssl_context(self) -> ssl.SSLContext:
        """Returns what HTTPS checks the server by, and shows it.

        Raises:
            InputError: A file cannot be read or holds no certificate or key.
        """
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        except (OSError, ValueError) as error:
            raise _unreadable("`ca`", self.ca, error) from error
        if self.certificate is not None:
            try:
                # A passphrase would be asked for at the terminal.
                context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
            except (OSError, ValueError) as error:
                raise _unreadable("`certificate`", self.certificate, error) from error
        return context

    def grpc_credentials(self) -> Any:
        """Returns the credentials of gRPC's channel; None where it is not encrypted.

        Raises:
            InputError: A file cannot be read.
        """
        if not self.is_encrypted:
            return None
        import grpc

        self.ssl_context()  # which says what is wrong with a file, as gRPC does not
        return grpc.ssl_channel_credentials(
            root_certificates=_content(self.ca),
            private_key=_content(self.key or self.certificate),
            certificate_chain=_content(self.certificate),
        )


def _content(path: Path | str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def _no_passphrase() -> str:
    raise ValueError("it has a passphrase")


def _unreadable(parameter: str, path: Path | str | None, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{parameter} {path}", f"cannot be used ({quoted(reason)})", "Name a PEM file")
