from pathlib import Path

import pydantic
import pytest

from tfadvpath.recipes.data import BrainTumour, Data, PhantomBrain, PhantomChest

DATA = pydantic.TypeAdapter(Data)
PATIENTS = {"train": 3, "validation": 2, "test": 1}


def test_the_task_chooses_the_kind():
    brain = DATA.validate_python({"task": "phantom-brain", "image_size": 32, "patients": PATIENTS})
    chest = DATA.validate_python({"task": "phantom-chest", "image_size": 32, "patients": PATIENTS})
    prepared = DATA.validate_python({"task": "brain-tumour", "image_size": 32, "path": "brain"})
    assert [type(data) for data in (brain, chest, prepared)] == [PhantomBrain, PhantomChest, BrainTumour]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "lungs"}, "lungs"),
        ({"task": None}, "task"),
        ({"channel": 2}, "channel"),  # an X-ray has none
        ({"patients": {**PATIENTS, "train": 0}}, "train"),
    ],
)
def test_what_no_task_knows_is_refused_by_name(change, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        DATA.validate_python({"task": "phantom-chest", "image_size": 32, "patients": PATIENTS, **change})


def test_a_path_starts_at_the_recipes_folder():
    values = {"task": "pneumonia", "image_size": 32, "path": "xrays"}
    assert DATA.validate_python(values).path == Path("xrays")
    assert DATA.validate_python(values, context={"folder": "/recipes"}).path == Path("/recipes/xrays")
    absolute = DATA.validate_python({**values, "path": "/data/xrays"}, context={"folder": "/recipes"})
    assert absolute.path == Path("/data/xrays")


@pytest.mark.parametrize("max_images", [None, 7])
def test_it_comes_back_from_json(max_images):
    data = BrainTumour(task="brain-tumour", path="brain", image_size=64, max_images=max_images)
    assert DATA.validate_python(data.model_dump(mode="json")) == data
