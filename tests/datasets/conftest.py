import pytest


@pytest.fixture(scope="session")
def paper_lists(real_data):
    """The paper's split lists, in the folder `splits` beside the real data; skips where there is none."""
    folder = real_data.parent / "splits"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder
