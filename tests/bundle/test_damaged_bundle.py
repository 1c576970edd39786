"""Bundles that are damaged, or that somebody made to do harm: one line each that names the file."""

import json
import re
import shutil
import zipfile

import pytest
from support import tiny

from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError
from tfadvpath.files import only_writer, sha256


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.write_tiny_bundle(tmp_path_factory.mktemp("whole") / "bundle")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "bundle")


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def write_manifest(folder, manifest):
    """Whoever changes a file can compute the manifest's digest of itself, too."""
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))


def sealed_again(folder, name, content):
    """A file in place of the bundle's, with the digest that it has."""
    (folder / name).write_bytes(content)
    manifest = manifest_of(folder)
    manifest["sha256"][name] = sha256(folder / name)
    write_manifest(folder, manifest)


def line_of(folder):
    """What load_bundle says, in one line."""
    with pytest.raises(InputError) as met:
        load_bundle(folder)
    assert "\n" not in str(met.value)
    assert len(met.value.problem) < 200
    return str(met.value)


NO_OBJECTS = [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": ' * 100_000]


@pytest.mark.parametrize("content", NO_OBJECTS, ids=lambda content: repr(content[:6]))
def test_json_that_holds_no_object_is_named(folder, content):
    sealed_again(folder, "figures.json", content)
    assert re.match(rf"{folder}/figures.json: (cannot be read|holds no JSON object)", line_of(folder))
    (folder / "manifest.json").write_bytes(content)
    assert re.match(rf"{folder}/manifest.json: (cannot be read|holds no JSON object)", line_of(folder))


def test_json_of_unheard_of_size_is_not_read(folder):
    sealed_again(folder, "figures.json", b'{"a": "' + b" " * 5_000_000 + b'"}')
    assert "figures.json: is too large" in line_of(folder)


def test_a_recipe_within_limits_alone_is_read(folder):
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdef", "bcdefg", strict=True)
    ]
    sealed_again(folder, "recipe.yaml", "\n".join(lines).encode())
    assert re.match(rf"{folder}/recipe.yaml, line 4: has more than .* values", line_of(folder))


@pytest.mark.parametrize("name", ["classifier.keras", "recipe.yaml", "figures.json"])
def test_every_file_that_is_used_must_have_a_digest(folder, name):
    manifest = manifest_of(folder)
    del manifest["sha256"][name]
    write_manifest(folder, manifest)
    assert line_of(folder) == f"{folder}/manifest.json: has no digest of {name}. Copy the bundle again."


def test_an_edited_manifest_is_named_unless_an_earlier_version_wrote_it(folder):
    manifest = manifest_of(folder)
    (folder / "manifest.json").write_text(json.dumps(dict(reversed(manifest.items())), indent=7))
    assert load_bundle(folder).manifest == manifest  # order and spaces mean nothing
    for edited in (manifest | {"name": "other"}, {k: v for k, v in manifest.items() if k[:3] != "man"}):
        (folder / "manifest.json").write_text(json.dumps(edited))
        assert line_of(folder) == f"{folder}/manifest.json: the file is edited. Copy the bundle again."
    # Format 2 had no digest of the manifest itself.
    (folder / "manifest.json").write_text(json.dumps(edited | {"format": 2}))
    assert load_bundle(folder).manifest["format"] == 2


@pytest.mark.parametrize("name", ["other.keras", "notes.txt", "syce/generator_2.keras"])
def test_a_file_beside_those_of_the_bundle_must_be_in_the_manifest(folder, name):
    for kept in ("logs/events", "stages/syce/done.json", ".tfadvpath-lock", "cyce/generator_0.keras"):
        (folder / kept).parent.mkdir(parents=True, exist_ok=True)
        (folder / kept).write_text("no part of the bundle")
    assert set(load_bundle(folder).generators) == {"syce"}
    (folder / name).write_text("more")
    said = f"{folder}/{name}: the file is not in the manifest. Copy the bundle again, or move the file away."
    assert line_of(folder) == said


def test_a_training_that_runs_and_one_that_was_stopped_are_told_apart(folder):
    (folder / "manifest.json").unlink()
    with only_writer(folder):
        assert line_of(folder) == (
            f"{folder}: no bundle yet: a training writes to it, and manifest.json comes last. "
            "Wait until the training ends."
        )
    assert "its training was not finished. Finish the training of its recipe with `resume`" in line_of(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sha256": {}}, "has no digest of"),
        ({"sha256": []}, "no bundle: manifest.json has no digests"),
        ({"sha256": None}, "no bundle: manifest.json has no digests"),
        ({"name": 3}, "lacks the name or the versions"),
        ({"versions": "2.21"}, "lacks the name or the versions"),
        ({"format": ["a"] * 1000}, "bundle of format"),
    ],
)
def test_a_manifest_with_other_entries_is_named(folder, change, problem):
    write_manifest(folder, manifest_of(folder) | change)
    assert problem in line_of(folder)


@pytest.mark.parametrize(
    "name", ["../evil.keras", "syce/../../evil.keras", "{absolute}", "link.keras", "a\0b"]
)
def test_no_file_outside_the_folder_is_used(folder, name):
    evil = folder.parent / "evil.keras"
    shutil.copy(folder / "classifier.keras", evil)
    if name == "link.keras":
        (folder / name).symlink_to(evil)
    name = name.format(absolute=evil)
    manifest = manifest_of(folder)
    manifest["sha256"][name] = sha256(evil)
    write_manifest(folder, manifest)
    said = line_of(folder)
    assert said.startswith(f"{folder}/manifest.json: names ")
    assert "which is outside the folder" in said or "\0" in name


def test_a_folder_of_links_out_is_refused_too(folder):
    shutil.move(folder / "syce", folder.parent / "elsewhere")
    (folder / "syce").symlink_to(folder.parent / "elsewhere")
    assert "outside the folder" in line_of(folder)


def test_the_bundle_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    sealed_again(folder, "figures.json", b"[]")  # which is looked at behind the digests
    assert "holds no JSON object" in line_of(tmp_path / "link")


def damaged_zip(content):
    """A whole directory of names, and damaged content."""
    return content[:200] + bytes(byte ^ 0x55 for byte in content[200:400]) + content[400:]


def other_zip(folder):
    with zipfile.ZipFile(folder.parent / "other.zip", "w") as archive:
        archive.writestr("config.json", "[1]")
    return (folder.parent / "other.zip").read_bytes()


@pytest.mark.parametrize("name", ["classifier.keras", "syce/generator_1.keras"])
@pytest.mark.parametrize("kind", ["cut", "empty", "text", "damaged", "other"])
def test_a_network_that_cannot_be_loaded_is_named(folder, name, kind):
    content = (folder / name).read_bytes()
    contents = {
        "cut": lambda: content[: len(content) // 2],
        "empty": lambda: b"",
        "text": lambda: b"no network",
        "damaged": lambda: damaged_zip(content),
        "other": lambda: other_zip(folder),
    }
    sealed_again(folder, name, contents[kind]())
    assert line_of(folder).startswith(f"{folder}/{name}: cannot be loaded (")


def test_a_generator_that_lacks_a_network_is_named(folder):
    manifest = manifest_of(folder)
    del manifest["sha256"]["syce/generator_1.keras"]
    (folder / "syce/generator_1.keras").unlink()
    write_manifest(folder, manifest)
    assert f"{folder}/syce: lacks the network generator_1" in line_of(folder)


def test_another_network_in_the_classifiers_place_is_named(folder):
    sealed_again(folder, "classifier.keras", (folder / "syce/generator_1.keras").read_bytes())
    assert line_of(folder).startswith(f"{folder}/classifier.keras: does not know its input")
