from pathlib import Path

import pydantic
import pytest

from tfadvpath.recipes.data import (
    DATA_SETS,
    BrainTumour,
    PhantomBrain,
    PhantomChest,
    PhantomData,
    PreparedData,
    any_data,
    data_set,
)

DATA = pydantic.TypeAdapter(any_data())
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


def test_a_task_is_one_data_set():
    with pytest.raises(ValueError, match="two data sets are called 'phantom-chest'"):
        data_set(PhantomChest)
    assert DATA_SETS["phantom-chest"] is PhantomChest


@pytest.mark.parametrize("task", DATA_SETS)
def test_every_data_set_states_its_facts(task):
    kind = DATA_SETS[task]
    assert issubclass(kind, PhantomData) == kind.GENERATED
    assert not (kind.GENERATED and issubclass(kind, PreparedData))
    assert kind.ORGAN in ("brain", "chest", None)
    assert kind.PERCENTILES
    assert all(50 <= percentile < 100 for percentile in kind.PERCENTILES)


@pytest.mark.parametrize("task", [task for task, kind in DATA_SETS.items() if issubclass(kind, PreparedData)])
def test_the_builder_of_a_data_set_prepares_its_task_by_the_options_it_names(task):
    builder = DATA_SETS[task].load_builder()
    assert builder.name.replace("_", "-") == task
    builder.CONFIG(**dict.fromkeys(DATA_SETS[task].PREPARE_OPTIONS))


def test_the_channel_of_a_volume_is_the_options_or_the_data_sets():
    brain = {"task": "phantom-brain", "image_size": 32, "patients": PATIENTS}
    assert DATA.validate_python({**brain, "channel": 3}).volume_channel == 3
    assert DATA.validate_python({"task": "brain-tumour", "image_size": 32, "path": "a"}).volume_channel == 2
    assert DATA.validate_python({"task": "pneumonia", "image_size": 32, "path": "a"}).volume_channel is None
