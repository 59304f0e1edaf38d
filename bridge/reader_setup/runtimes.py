"""The runtimes whose packages suffice as they are: MNN, OpenVINO 2022.3, and ncnn without its converter."""

from dataclasses import dataclass

from gluon2caffe.bridge.reader_setup.recipe import PinnedRecipe
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.mnn_reader import KIND as MNN
from gluon2caffe.bridge.verification.readers.ncnn_reader import KIND as NCNN
from gluon2caffe.bridge.verification.readers.ncnn_reader import NO_CONVERTER, converter
from gluon2caffe.bridge.verification.readers.openvino_reader import KIND as OPENVINO
from gluon2caffe.bridge.verification.readers.reader import WorkerReader


@dataclass(frozen=True)
class NcnnRecipe(PinnedRecipe):
    """Its runtime can be set up before the converter is here."""

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Run the trial net where there is a converter; else see that the runtime starts."""
        if converter():
            return what_is_wrong(reader)
        print(f"[{self.name}] {NO_CONVERTER}", flush=True)
        return reader.reason


MNN_RECIPE = PinnedRecipe(MNN, ((3, 11), (3, 12), (3, 10), (3, 9)), 160)
OPENVINO_RECIPE = PinnedRecipe(OPENVINO, ((3, 8), (3, 9), (3, 10)), 650)
NCNN_RECIPE = NcnnRecipe(NCNN, ((3, 11), (3, 12), (3, 10)), 140)
