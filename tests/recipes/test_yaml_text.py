"""YAML files that are wrong by accident or to do harm: one line each, at once."""

import itertools
import time

import pytest
from support import tiny

from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import dump_recipe, load_recipe
from tfadvpath.recipes.yaml_text import MAX_BYTES

SECONDS = 5  # for the largest of these files on a busy machine; a bomb takes hours


def chain(first, link):
    """Nine aliases of the anchor before, eleven times."""
    names = "abcdefghijkl"
    links = [
        f"{new}: &{new} {link.format(', '.join([f'*{old}'] * 9))}" for old, new in itertools.pairwise(names)
    ]
    return "\n".join([f"a: &a {first}", *links])


HARMFUL = {
    "billion laughs": (chain("[x, x, x]", "[{}]"), "line 5: has more than 5,000 values"),
    "merged": (chain("{x: 1, y: 2}", "{{<<: [{}]}}"), "line 5: has more than 5,000 values"),
    "list in itself": ("a: &a [*a]", "line 1: the value of &a is part of itself"),
    "mapping in itself": ("a: &a {b: {c: *a}}", "line 1: the value of &a is part of itself"),
    "5000 lists": ("[" * 5000 + "]" * 5000, "line 1: has more than 50 levels"),
    "lists without end": ("a: " + "[" * (MAX_BYTES - 10), "line 1: has more than 50 levels"),
    "blocks": ("\n".join(" " * i + "-" for i in range(400)), "line 51: has more than 50 levels"),
    "many values": ("- 1\n" * (MAX_BYTES // 4 - 1), "line 5000: has more than 5,000 values"),
    "too large": ("#" * (MAX_BYTES + 1), "is too large for a recipe: 131,073 bytes"),
    "python": ("name: !!python/object/apply:os.system [ls]", "line 1: not valid YAML: could not determine"),
}
WRONG = {
    "tab": ("data:\n\ttask: x", r"line 2: not valid YAML: found character '\\t'"),
    "two documents": ("name: a\n---\nname: b", "line 2: not valid YAML: but found another document"),
    "no character": ("name: \0", "not valid YAML: special characters are not allowed"),
    "number as key": ("name: a\n1: b", "line 2: a key is no text but int"),
    "truth as key": ("name: a\nyes: b", "line 2: a key is no text but bool"),
    "nothing as key": ("~: b", "line 1: a key is no text but null"),
    "list as key": ("? [a]\n: b", "line 1: a key is no text but seq"),
    "month 13": ("name: 2024-13-01", "not valid YAML: month must be in 1..12"),
    "5000 digits": ("seed: " + "1" * 5000, "not valid YAML: Exceeds the limit"),
    "alias of nothing": ("name: *b", "line 1: not valid YAML: found undefined alias"),
    "long key": ("k" * 900 + ": 1", f"{'k' * 119}…: Extra inputs"),
}


def refusal(path):
    begin = time.perf_counter()
    with pytest.raises(InputError) as met:
        load_recipe(path)
    assert time.perf_counter() - begin < SECONDS
    said = str(met.value)
    assert said.startswith(str(path))
    assert len(said) < len(str(path)) + 300
    return said


@pytest.mark.parametrize("name", HARMFUL | WRONG)
def test_a_wrong_file_is_one_line(tmp_path, name):
    text, problem = (HARMFUL | WRONG)[name]
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE) + text if name == "long key" else text)
    assert problem.replace("\\\\", "\\") in refusal(path)


@pytest.mark.parametrize(
    ("content", "byte"), [("name: x".encode("utf-16"), 1), ("name: é".encode("latin-1"), 7)], ids=str
)
def test_another_encoding_is_said(tmp_path, content, byte):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    assert f"the recipe cannot be read (byte {byte} is no UTF-8). Save it as UTF-8" in refusal(path)


def test_what_is_no_file_is_not_read(tmp_path):
    assert "is no regular file" in refusal(tmp_path)


def test_a_change_of_a_recipe_is_within_the_limits_too(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    with pytest.raises(InputError, match=r"^`changes`: data=\[\[.*: has more than 50 levels"):
        load_recipe(path, ["data=" + "[" * 100 + "]" * 100])


def test_a_few_aliases_are_fine_and_share_nothing(tmp_path):
    path = tmp_path / "recipe.yaml"
    text = dump_recipe(tiny.RECIPE).replace("\ndata:", "\ndata: &images")
    path.write_text("\ufeff" + text.replace("generator_data: null", "generator_data: *images"))
    recipe = load_recipe(path, ["generator_data.patients.train=7"])
    assert recipe.data == tiny.RECIPE.data
    assert recipe.generator_data.patients.train == 7
    assert recipe.generator_data.image_size == recipe.data.image_size
