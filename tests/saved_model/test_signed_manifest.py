"""Who signed an export is known before anything of it is read."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tfadvpath.errors import InputError
from tfadvpath.saved_model.check import check_saved_model
from tfadvpath.saved_model.manifest import read_manifest, seal
from tfadvpath.saved_model.signed_manifest import read_private_key, sign_manifest, verify_manifest


def write_keys(folder, name, key=None, passphrase=None):
    """Writes NAME.pem and NAME.pub."""
    key = ed25519.Ed25519PrivateKey.generate() if key is None else key
    hidden = serialization.NoEncryption()
    if passphrase is not None:
        hidden = serialization.BestAvailableEncryption(passphrase)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path, "ours")


@pytest.fixture
def version(tmp_path):
    """What is sealed as an export is."""
    folder = tmp_path / "tiny" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    seal(folder, {"signatures": {}})
    return folder


def test_a_signature_is_verified_and_lies_beside_the_sealed_files(version, keys):
    private, public = keys
    sign_manifest(version, read_private_key(private))
    verify_manifest(version, public)
    read_manifest(version)  # whose set of files is exact
    seal(version, {"signatures": {}, "name": "other"})
    with pytest.raises(InputError, match=r"manifest\.json\.sig: is no signature of manifest\.json"):
        verify_manifest(version, public)


def test_another_key_and_no_signature_are_refused_before_anything_is_read(version, keys, tmp_path):
    private, public = keys
    (version / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(InputError, match="is not signed"):
        check_saved_model(version, public_key=public)
    sign_manifest(version, read_private_key(write_keys(tmp_path, "theirs")[0]))
    with pytest.raises(InputError, match="is no signature of manifest"):
        check_saved_model(version, public_key=public)
    (version / "manifest.json.sig").write_bytes(b"short")
    with pytest.raises(InputError, match="is no signature of manifest"):
        check_saved_model(version, public_key=public)
    sign_manifest(version, read_private_key(private))
    with pytest.raises(InputError, match=r"saved_model\.pb: the file is changed"):
        check_saved_model(version, public_key=public)


def test_keys_that_cannot_be_used_are_named(version, keys, tmp_path):
    other = write_keys(tmp_path, "other", ec.generate_private_key(ec.SECP256R1()))
    hidden = write_keys(tmp_path, "hidden", passphrase=b"secret")
    for path, problem in (
        (tmp_path / "missing", r"cannot be read as a key \(No such file or directory\)"),
        (version / "saved_model.pb", "cannot be read as a key"),
        (keys[1], "cannot be read as a key"),
        (hidden[0], "cannot be read as a key"),
        (other[0], "is no Ed25519PrivateKey. Make one by: openssl genpkey"),
    ):
        with pytest.raises(InputError, match=problem) as error:
            read_private_key(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="is no Ed25519PublicKey"):
        verify_manifest(version, other[1])


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
def test_openssl_signs_and_verifies_the_same(version, tmp_path):
    def openssl(*words):
        return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False).returncode

    private, public, signature = tmp_path / "k.pem", tmp_path / "k.pub", version / "manifest.json.sig"
    assert openssl("genpkey", "-algorithm", "ed25519", "-out", private) == 0
    assert openssl("pkey", "-in", private, "-pubout", "-out", public) == 0
    of_file = ("-rawin", "-in", version / "manifest.json")
    assert openssl("pkeyutl", "-sign", "-inkey", private, *of_file, "-out", signature) == 0
    verify_manifest(version, public)
    sign_manifest(version, read_private_key(private))
    checked = ("pkeyutl", "-verify", "-pubin", "-inkey", public, *of_file, "-sigfile", signature)
    assert openssl(*checked) == 0
    signature.write_bytes(bytes(64))
    assert openssl(*checked) != 0
