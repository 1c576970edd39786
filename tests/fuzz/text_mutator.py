"""Changes of JSON, YAML and CSV files."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

from fuzz.byte_mutator import change_bytes

_DEEP = 3000
_VALUES: list[Any] = [None, True, [], {}, "", "x", 0, -1, 1.5, 10**400, [[]], {"": {}}, "../up", "/abs", "\0"]
_VALUES += ["\ud800", "x" * 5000, {"a": [1, {"b": None}]}, "1e999", "nan", ["a", 1], [["a", 1], ["a", 1]]]
# What stands in JSON as it is, and no value of Python gives.
_RAW = [b"NaN", b"-Infinity", b"[" * _DEEP, b"[" * _DEEP + b"]" * _DEEP, b'{"a":' * _DEEP, b"1e400", b"-"]
_RAW += [b"9" * 5000, b'"\\ud800"', b'"\x00"', b"\xff\xfe", b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}"]
_BOMB = b"a0: &a0 [x, x, x, x]\n" + b"".join(
    f"a{k + 1}: &a{k + 1} [*a{k}, *a{k}, *a{k}, *a{k}]\n".encode() for k in range(20)
)
_YAML = [b"[" * _DEEP, b"- " * _DEEP, b"{a: " * _DEEP, b"&a [*a]", b"*none", b"!!python/object:os.system x"]
_YAML += [b"!!binary x", b"2001-99-99", b"0o9", b"<<: *x", b"? [a]\n: b", b"%TAG ! !", b"--- 1\n--- 2", _BOMB]
_YAML += [b"1e309", b".nan", b".inf", b"-.inf", b"~", b"'", b"\t", b"|\n  x", b"!!set {a}", b"0b", b"1:60:60"]
_YAML += [b"9" * 5000, b"!!int x", b"!!float x", b"!!timestamp x", b"2001-02-30", b'"\\ud800"', b"{[a]: b}"]
_FIELDS = [b"", b'"', b'""', b'"a\nb"', b"\0", b"nan", b"inf", b"-1", b"1e999", b"x" * 200_000, b"../../up"]
_FIELDS += [b"/etc/passwd", b"=1+1", b"\xff", b"\xef\xbb\xbf", b",,,,", b"\r", b"1,2,3", b"9" * 400, b"a\\b"]


def change_json(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns JSON with one to three values changed, or with changed bytes."""
    if rng.random() < 0.3:
        return change_bytes(data, rng, others)
    try:
        root: Any = [json.loads(data)]
    except ValueError:
        return change_bytes(data, rng, others)
    mark = "@@@@"
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change_value(root, rng, mark)
    text = json.dumps(root[0]).encode()
    return text.replace(f'"{mark}"'.encode(), rng.choice(_RAW))


def change_yaml(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns YAML with changed values, lines or bytes."""
    if rng.random() < 0.3:
        return change_bytes(data, rng, others)
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        key, colon, _ = lines[at].partition(b":")
        choice = rng.randrange(6)
        if choice <= 2 and colon:
            lines[at] = key + b": " + rng.choice(_YAML)
        elif choice == 3:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif choice == 4:
            lines.insert(at, rng.choice(_YAML))
        else:
            lines[at] = b" " * rng.randrange(5) + lines[at].strip()
    return b"\n".join(lines)


def change_csv(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Returns a table with changed fields, rows or bytes."""
    if rng.random() < 0.3:
        return change_bytes(data, rng, others)
    rows = [row.split(b",") for row in data.split(b"\n")]
    for _ in range(rng.choice((1, 1, 2))):
        row = rng.choice(rows)
        choice = rng.randrange(6)
        if choice <= 3:
            row[rng.randrange(len(row))] = rng.choice(_FIELDS)
        elif choice == 4:
            row.insert(rng.randrange(len(row) + 1), rng.choice(_FIELDS))
        else:
            rows.insert(rng.randrange(len(rows) + 1), list(row))
    return rng.choice((b"\n", b"\n", b"\r\n", b"\r")).join(b",".join(row) for row in rows)


def _change_value(root: list[Any], rng: random.Random, mark: str) -> None:
    """Walks down from the root at random, and changes what it comes to."""
    holder: Any = root
    key: Any = 0
    while isinstance(holder[key], (list, dict)) and holder[key] and rng.random() < 0.8:
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    choice = rng.randrange(5)
    if choice == 0:
        holder[key] = mark
    elif choice == 1 and isinstance(holder, dict):
        del holder[key]
    elif choice == 2 and isinstance(holder, dict):
        holder[rng.choice(("", "x", "\ud800", "../up"))] = copy.deepcopy(holder[key])
    else:
        holder[key] = copy.deepcopy(rng.choice(_VALUES))
