"""Signature of an exported version: Ed25519 over its manifest, which has the digests of all its files.

The signature is the 64 bytes of RFC 8032, as ``openssl pkeyutl -rawin`` writes and checks them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, quoted
from tfadvpath.saved_model.manifest import MANIFEST, SIGNATURE

_MAKE_KEY = "Make one by: openssl genpkey -algorithm ed25519 -out private.pem"


def read_private_key(path: Path) -> Any:
    """Returns the key of a PEM file that signs.

    Args:
        path: File without a passphrase, such as ``openssl genpkey -algorithm ed25519`` writes.

    Raises:
        InputError: It cannot be read or holds another kind of key; the extra ``signing`` is not installed.
    """
    serialization, ed25519 = _cryptography()
    return _read(path, lambda pem: serialization.load_pem_private_key(pem, None), ed25519.Ed25519PrivateKey)


def sign_manifest(folder: Path, key: Any) -> None:
    """Writes the signature beside the manifest.

    Args:
        folder: Folder of a sealed version.
        key: Key that ``read_private_key`` returned.
    """
    (folder / SIGNATURE).write_bytes(key.sign((folder / MANIFEST).read_bytes()))


def verify_manifest(folder: Path, public_key: Path) -> None:
    """Checks the signature of a version's manifest. Who holds no private key cannot make another.

    Args:
        folder: Folder of the version.
        public_key: PEM file, such as ``openssl pkey -pubout`` writes.

    Raises:
        InputError: There is no signature, or it is not that of the key; the key cannot be read; the extra
            ``signing`` is not installed.
    """
    serialization, ed25519 = _cryptography()
    from cryptography.exceptions import InvalidSignature

    key = _read(public_key, serialization.load_pem_public_key, ed25519.Ed25519PublicKey)
    try:
        content, signature = (folder / MANIFEST).read_bytes(), (folder / SIGNATURE).read_bytes()
    except OSError as error:
        raise InputError(
            folder,
            f"is not signed: {MANIFEST} or {SIGNATURE} cannot be read ({error.strerror})",
            "Export it with the private key, or take it from where it was signed",
        ) from error
    try:
        key.verify(signature, content)
    except InvalidSignature as error:
        raise InputError(
            folder / SIGNATURE, f"is no signature of {MANIFEST} by {public_key}", "Do not serve it"
        ) from error


def _read(path: Path, load: Any, kind: type) -> Any:
    try:
        key = load(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:  # TypeError of a key with a passphrase
        reason = quoted(getattr(error, "strerror", None) or error)
        raise InputError(
            path, f"cannot be read as a key ({reason})", "Name a PEM file without a passphrase"
        ) from error
    except Exception as error:  # UnsupportedAlgorithm, which is cryptography's own
        raise InputError(path, f"is no key that can be used ({quoted(error)})", _MAKE_KEY) from error
    if not isinstance(key, kind):
        raise InputError(path, f"is no {kind.__name__}", _MAKE_KEY)
    return key


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise InputError(
            "cryptography", "is not installed", "Run: pip install 'tfadvpath[signing]'"
        ) from error
    return serialization, ed25519
