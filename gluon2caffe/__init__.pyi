# Everything public, and where it lives: `__init__.py` imports from here what is asked for, type checkers read it.

from gluon2caffe.bridge.conversion import Conversion as Conversion
from gluon2caffe.bridge.convert import to_caffe as to_caffe
from gluon2caffe.bridge.convert import to_onnx as to_onnx
from gluon2caffe.bridge.export import load_mxnet as load_mxnet
from gluon2caffe.bridge.gluon_converter import convert_model as convert_model
from gluon2caffe.bridge.gluon_converter import convert_ssd_model as convert_ssd_model
from gluon2caffe.bridge.gluon_converter import save_model as save_model
from gluon2caffe.bridge.inspection.description import Inspection as Inspection
from gluon2caffe.bridge.inspection.inspect import inspect_source as inspect_source
from gluon2caffe.bridge.many import ManyResult as ManyResult
from gluon2caffe.bridge.many import convert_many as convert_many
from gluon2caffe.bridge.options import ConversionKeywords as ConversionKeywords
from gluon2caffe.bridge.options import ConversionOptions as ConversionOptions
from gluon2caffe.bridge.options import Preprocessing as Preprocessing
from gluon2caffe.bridge.origins import walk_back as walk_back
from gluon2caffe.bridge.verification.against_source import verify as verify
from gluon2caffe.bridge.verification.prerequisites import MissingExtraError as MissingExtraError
from gluon2caffe.bridge.verification.readers import CaffeReader as CaffeReader
from gluon2caffe.bridge.verification.readers import OpenCVReader as OpenCVReader
from gluon2caffe.bridge.verification.readers import Reader as Reader
from gluon2caffe.bridge.verification.readers import installed_readers as installed_readers
from gluon2caffe.bridge.verification.report import Report as Report
from gluon2caffe.bridge.verification.run_errors import ReaderError as ReaderError
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError as ReferenceModelError
from gluon2caffe.onnx2caffe.errors import ConversionError as ConversionError
from gluon2caffe.onnx2caffe.errors import InternalError as InternalError
from gluon2caffe.onnx2caffe.errors import OutputError as OutputError
from gluon2caffe.onnx2caffe.errors import Refusal as Refusal
from gluon2caffe.onnx2caffe.errors import SourceError as SourceError
from gluon2caffe.onnx2caffe.errors import UnsupportedModelError as UnsupportedModelError
from gluon2caffe.onnx2caffe.model import CaffeModel as CaffeModel
from gluon2caffe.onnx2caffe.model import Layer as Layer
from gluon2caffe.onnx2caffe.model import SavedModel as SavedModel
from gluon2caffe.onnx2caffe.targets import PROFILES as PROFILES
from gluon2caffe.onnx2caffe.targets import Profile as Profile
from gluon2caffe.onnx2caffe.targets import TargetName as TargetName
from gluon2caffe.ssd_heads.decoding import DecoderDocument as DecoderDocument
from gluon2caffe.ssd_heads.decoding import decode as decode
from gluon2caffe.ssd_heads.detections import Detections as Detections
from gluon2caffe.ssd_heads.detections import detections as detections

__version__: str
