"""YAML that a person wrote, read within limits: no file takes long, and aliases cannot multiply."""

from __future__ import annotations

import pathlib
from typing import Any

import yaml

from tfadvpath.errors import InputError, quoted

# A recipe with every key written out has 3 kB and 200 values.
MAX_BYTES = 2**17
_MAX_VALUES = 5_000
_MAX_DEPTH = 50
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


class _Refused(yaml.YAMLError):
    """A value that YAML allows and this reader does not."""

    def __init__(self, line: int, problem: str, remedy: str):
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.remedy = remedy


class _Loader(yaml.SafeLoader):
    """Counts values and levels while it composes them; what an alias stands for counts each time.

    Without that a few lines of aliases of aliases are millions of values.
    """

    def __init__(self, text: str):
        super().__init__(text)
        self.counted = 0
        self.depth = 0
        self.counts: dict[str, int | None] = {}  # of the values behind an anchor, None while it is open

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            count = self.counts.get(str(event.anchor), 0)  # of an unknown anchor YAML itself will speak
            if count is None:
                raise _Refused(
                    line, f"the value of &{quoted(event.anchor)} is part of itself", "Write its values out"
                )
            self._count(line, count)
            return super().compose_node(parent, index)
        self._count(line, 1)
        before, self.depth = self.counted, self.depth + 1
        if self.depth > _MAX_DEPTH:
            raise _Refused(line, f"has more than {_MAX_DEPTH} levels of values", "Write fewer")
        if event.anchor is not None:
            self.counts[event.anchor] = None
        node = super().compose_node(parent, index)
        if event.anchor is not None:
            self.counts[event.anchor] = self.counted - before + 1
        self.depth -= 1
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
        return node

    def _count(self, line: int, values: int) -> None:
        self.counted += values
        if self.counted > _MAX_VALUES:
            raise _Refused(
                line, f"has more than {_MAX_VALUES:,} values, those behind aliases counted", "Write fewer"
            )

    def _check_keys(self, node: yaml.MappingNode) -> None:
        """Refuses a key that is no text, or stands twice: YAML would let the last one win."""
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in (_TEXT, _MERGE) or not isinstance(key.value, str):
                kind = key.tag.rpartition(":")[2]
                raise _Refused(
                    line, f"a key is no text but {quoted(kind)}", "Correct it, or write it in quotes"
                )
            if key.value in seen:
                raise _Refused(line, f"{quoted(key.value)} stands here twice", "Keep one of them")
            seen.add(key.value)


def parse(text: str, source: str) -> tuple[Any, yaml.Node | None]:
    """Returns the values of a YAML text, and its nodes, which know their lines.

    Args:
        text: The text.
        source: File or parameter, for the message.

    Raises:
        InputError: It is no YAML, or beyond the limits.
    """
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return (None if root is None else _unshared(loader.construct_document(root))), root
    except _Refused as error:
        raise InputError(f"{source}, line {error.line}", error.problem, error.remedy) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source if mark is None else f"{source}, line {mark.line + 1}"
        problem = quoted(error.problem or error.context)
        raise InputError(where, f"not valid YAML: {problem}", "Correct the line") from error
    except (yaml.YAMLError, ValueError, AttributeError) as error:  # the last two of dates and numbers
        is_tag = isinstance(error, AttributeError)  # "!!timestamp" before what is none
        problem = "a value is not what its tag says" if is_tag else quoted(getattr(error, "reason", error))
        raise InputError(source, f"not valid YAML: {problem}", "Correct the value") from error
    finally:
        if loader is not None:
            loader.dispose()


def _unshared(value: Any) -> Any:
    """Returns values of which none stands in two places: a change of one would change the other."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def read(path: pathlib.Path) -> tuple[Any, yaml.Node | None]:
    """Returns the values of a YAML file, and its nodes.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read, is too large, no UTF-8, no YAML, or beyond the limits.
    """
    remedy = "Name an existing YAML file"
    try:
        if path.exists() and not path.is_file():
            raise InputError(path, "the recipe cannot be read (it is no regular file)", remedy)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                path, f"is too large for a recipe: {size:,} bytes, where it may have {MAX_BYTES:,}", remedy
            )
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            path, f"the recipe cannot be read (byte {error.start + 1} is no UTF-8)", "Save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(path, f"the recipe cannot be read ({error.strerror})", remedy) from error
    return parse(text, str(path))
