import pytest

from tfadvpath.datasets.csv_tables import are_fractions, box_of, read_table
from tfadvpath.errors import InputError


def test_rows_come_with_their_lines_and_without_spaces(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes('\ufefffile,patient,more\r\n a.png ,Ünal,1\r\n"b,c.png",p,2\r\n'.encode())
    assert list(read_table(path, ("file", "patient"))) == [
        (2, {"file": "a.png", "patient": "Ünal", "more": "1"}),
        (3, {"file": "b,c.png", "patient": "p", "more": "2"}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,label\na,1\n", "lacks the column patient"),
        (b"", "lacks the column file"),
        (b"file,patient\na\n", "line 2.*2 values"),
        (b"file,patient\na,b\nc,d,e\n", "line 3.*2 values"),
        (b"file,patient\n\xff\xfe,b\n", "cannot be read as a table"),
        (b'file,patient\n"a,b\n', "cannot be read as a table"),
        (
            b"file,patient\n" + b"a" * 200_000 + b",b\n",
            "cannot be read as a table .field larger than field limit",
        ),
        (b"\xff\xfef\0i\0l\0e\0", "cannot be read as a table"),
        (None, "cannot be read as a table"),
    ],
)
def test_a_broken_table_is_named(tmp_path, content, message):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"table\.csv.*{message}"):
        list(read_table(path, ("file", "patient")))


def row(*values):
    return dict(zip(("x", "y", "width", "height"), values, strict=True))


def test_a_box_is_four_numbers_or_nothing():
    assert box_of(row("1", "2.5", "3", "4e1")) == (1, 2.5, 3, 40)
    assert box_of(row("", "", "", "")) is None
    assert box_of({"file": "a"}) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("1", "", "3", "4"), "has no box of four numbers: 1, , 3, 4"),
        (("1", "2", "3", "wide"), "has no box of four numbers: 1, 2, 3, wide"),
        (("1", "2", "0", "4"), "has a box without an area: 1, 2, 0, 4"),
        (("1", "2", "3", "-4"), "has a box without an area: 1, 2, 3, -4"),
        (("nan", "2", "3", "4"), "has a box without an area: nan, 2, 3, 4"),
        (("9" * 999, "2", "3", "?"), f"has no box of four numbers: {'9' * 119}…"),
    ],
)
def test_half_a_box_is_refused(values, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        box_of(row(*values))


def test_boxes_are_fractions_if_none_passes_1():
    assert are_fractions([(0.1, 0.2, 0.3, 0.4), (0, 0, 1, 1)])
    assert not are_fractions([(0.1, 0.2, 0.3, 0.4), (0, 0, 1, 2)])
