"""Sets readers up, removes them, and says how large they are."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gluon2caffe.bridge.reader_setup.bvlc_wheel import BVLC_WHEEL
from gluon2caffe.bridge.reader_setup.chips import ROCKCHIP_RECIPE, SOPHGO_RECIPE
from gluon2caffe.bridge.reader_setup.recipe import Recipe
from gluon2caffe.bridge.reader_setup.runtimes import MNN_RECIPE, NCNN_RECIPE, OPENVINO_RECIPE
from gluon2caffe.bridge.reader_setup.ssd_wheel import SSD_WHEEL
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.caffe_reader import users_own
from gluon2caffe.bridge.verification.readers.environment import read_marker
from gluon2caffe.bridge.verification.readers.reader import WorkerReader

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "caffe": (SSD_WHEEL, BVLC_WHEEL),
    "mnn": (MNN_RECIPE,),
    "openvino": (OPENVINO_RECIPE,),
    "sophgo": (SOPHGO_RECIPE,),
    "rockchip": (ROCKCHIP_RECIPE,),
    "ncnn": (NCNN_RECIPE,),
}
"""Name of a kind of reader -> its environments. Any one of them is enough; real Caffes check each other."""


def set_up_all(folder: Path, recipes: Sequence[Recipe]) -> list[WorkerReader]:
    """Set up environments below `folder`, each unless it is ready, and return the readers that work."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        return [reader for recipe in recipes if (reader := set_up(folder / recipe.name, recipe)) is not None]


def own_caffe() -> WorkerReader | None:
    """Return the Caffe that the user's environment variables name if it works, and say what is wrong with it if not."""
    own = users_own()
    wrong = what_is_wrong(own) if own is not None else ""
    if own is not None and wrong:
        print(f"{own.name} does not work: {wrong}", flush=True)
    return None if wrong else own


def set_up(folder: Path, recipe: Recipe) -> WorkerReader | None:
    """Set up one environment in its folder, unless it is ready there; return None if it does not work here."""
    steps = Steps(recipe.name, folder)
    ready = read_marker(folder)
    if ready and dict(ready.installed) == recipe.expected():
        reader = recipe.reader(folder, ready)
        wrong = recipe.what_is_wrong(reader)
        if not wrong:
            steps.say("is ready")
            return reader
        steps.say(f"was ready, but {wrong}: once more")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        ready = recipe.install(steps)
        reader = recipe.reader(folder, ready)
        steps.say("trying it")
        wrong = recipe.what_is_wrong(reader)
        if wrong:
            raise SetupError(f"what was installed does not work: {wrong}")
    except SetupError as error:
        steps.say(f"not possible: {error}")
        return None
    ready.write(folder)
    return reader


def remove(folder: Path, recipes: Sequence[Recipe]) -> int:
    """Remove environments below `folder`, and return how many bytes they took."""
    if not folder.is_dir():
        return 0
    with _locked(folder):
        freed = 0
        for recipe in recipes:
            freed += size_of(folder / recipe.name)
            shutil.rmtree(folder / recipe.name, ignore_errors=True)
    return freed


def size_of(folder: Path) -> int:
    """Return how many bytes the files below a folder take."""
    return sum(
        os.lstat(os.path.join(path, file)).st_size  # noqa: PTH118 - tens of thousands of files
        for path, _, files in os.walk(folder)
        for file in files
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One set-up at a time."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
