"""How to feed a converted net with images, in the words of each reader.

What a net takes follows from what was folded into it: the image less `mean`, divided by `std`, per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gluon2caffe.bridge.options import Preprocessing

# What GluonCV's classifiers and detectors are trained on: (x / 255 - mean) / std, RGB.
GLUONCV_MEAN = (123.675, 116.28, 103.53)
GLUONCV_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Feeding:
    """What an image net takes.

    Attributes:
        blob: its input.
        size: width and height, pixels.
        order: "RGB", "BGR" or "gray".
        mean: what to take off an image with values of 0 to 255, per channel in that order.
        std: what to divide by after that.
        takes: the same in words.
    """

    blob: str
    size: tuple[int, int]
    order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    takes: str

    def calls(self, prefix: str) -> dict[str, str]:
        """Reader -> what to type, for the files PREFIX.prototxt and PREFIX.caffemodel."""
        return {
            "opencv": self._opencv(),
            "caffe": self._caffe(),
            "sophgo": self._sophgo(prefix),
            "rockchip": self._rockchip(),
            "openvino": self._openvino(prefix),
            "ncnn": self._ncnn(),
            "mnn": self._mnn(),
        }

    def call(self, target: str, prefix: str) -> str:
        """The call for a target's reader; OpenCV's for a target that has none of its own."""
        calls = self.calls(prefix)
        return calls["caffe" if target == "bvlc" else target if target in calls else "opencv"]

    def to_dict(self, prefix: str) -> dict[str, Any]:
        """The same as plain values, the calls included."""
        return {**asdict(self), "calls": self.calls(prefix)}

    def _opencv(self) -> str:
        """An image as cv2.imread gives it; blobFromImage has one scale for all channels."""
        alike = len(set(self.std)) == 1
        scale = _number(1 / self.std[0]) if alike and self.std[0] != 1 else "1.0"
        words = [f"image, {scale}, {self.size}"]
        if any(self.mean):
            words.append(f"mean={_numbers(self.mean)}")
        if self.order == "RGB":
            words.append("swapRB=True")
        call = f"cv2.dnn.blobFromImage({', '.join(words)})"
        return call if alike else f"{call} / numpy.float32({_numbers(self.std)}).reshape(1, -1, 1, 1)"

    def _caffe(self) -> str:
        """An image as caffe.io.load_image gives it: RGB, values of 0 to 1."""
        lines = [
            f"transformer = caffe.io.Transformer({{'{self.blob}': net.blobs['{self.blob}'].data.shape}})",
            f"transformer.set_transpose('{self.blob}', (2, 0, 1))",
            f"transformer.set_raw_scale('{self.blob}', 255)",
        ]
        if self.order == "BGR":
            lines.append(f"transformer.set_channel_swap('{self.blob}', (2, 1, 0))")
        if any(self.mean):
            lines.append(f"transformer.set_mean('{self.blob}', numpy.float32({_numbers(self.mean)}))")
        last = f"x = transformer.preprocess('{self.blob}', image)"
        if any(each != 1 for each in self.std):
            last += f" / numpy.float32({_numbers(self.std)}).reshape(-1, 1, 1)"
        return "\n".join([*lines, last])

    def _sophgo(self, prefix: str) -> str:
        shape = [[1, len(self.mean), self.size[1], self.size[0]]]
        return (
            f"model_transform --model_name {prefix} --model_def {prefix}.prototxt --model_data {prefix}.caffemodel"
            f" --input_shapes {str(shape).replace(' ', '')} --mean {_plain(self.mean)}"
            f" --scale {_plain(1 / each for each in self.std)} --pixel_format {self.order.lower()}"
            f" --mlir {prefix}.mlir"
        )

    def _rockchip(self) -> str:
        swap = "True" if self.order == "BGR" else "False"  # of the images that it quantises by, which it reads as RGB
        return (
            f"rknn.config(mean_values=[[{_plain(self.mean, ', ')}]], std_values=[[{_plain(self.std, ', ')}]],"
            f" quant_img_RGB2BGR={swap}, target_platform='rk3588')"
        )

    def _openvino(self, prefix: str) -> str:
        """A net that takes images in the order in which OpenCV reads them."""
        words = f"mo --input_model {prefix}.caffemodel --input_proto {prefix}.prototxt --compress_to_fp16=False"
        if any(self.mean):
            words += f" --mean_values [{_plain(self.mean)}]"
        if any(each != 1 for each in self.std):
            words += f" --scale_values [{_plain(self.std)}]"
        return words + (" --reverse_input_channels" if self.order == "RGB" else "")

    def _ncnn(self) -> str:
        pixels = {"RGB": "PIXEL_BGR2RGB", "BGR": "PIXEL_BGR", "gray": "PIXEL_GRAY"}[self.order]
        width, height = self.size
        lines = [
            f"ncnn::Mat in = ncnn::Mat::from_pixels_resize(image.data, ncnn::Mat::{pixels}, image.cols, image.rows,"
            f" {width}, {height});"
        ]
        if any(self.mean) or any(each != 1 for each in self.std):
            lines += [
                f"const float mean[] = {{{_plain(self.mean, ', ')}}};",
                f"const float norm[] = {{{_plain((1 / each for each in self.std), ', ')}}};",
                "in.substract_mean_normalize(mean, norm);",
            ]
        return "\n".join(lines)

    def _mnn(self) -> str:
        form = self.order.upper()
        source = "GRAY" if form == "GRAY" else "BGR"
        return (
            f"MNN.CVImageProcess({{'sourceFormat': MNN.CV_ImageFormat_{source},"
            f" 'destFormat': MNN.CV_ImageFormat_{form}, 'mean': {_numbers(_four(self.mean, 0.0))},"
            f" 'normal': {_numbers(_four((1 / each for each in self.std), 1.0))}}})"
        )


def feeding(
    inputs: Mapping[str, tuple[int, ...]], folded: Preprocessing | None, *, is_gluoncv: bool = False
) -> Feeding | None:
    """What the net takes, where it has one input that is an image: (N, 1 or 3, H, W).

    Args:
        inputs: input -> shape.
        folded: the preprocessing that is in the net.
        is_gluoncv: whether the source is a net of GluonCV's model zoo, whose training is known.
    """
    if len(inputs) != 1:
        return None
    ((blob, shape),) = inputs.items()
    if len(shape) != 4 or shape[1] not in (1, 3):
        return None
    order = "gray" if shape[1] == 1 else "BGR" if folded is not None and folded.to_bgr else "RGB"
    size = (shape[3], shape[2])
    count = shape[1]
    zeros, ones = (0.0,) * count, (1.0,) * count
    if folded is not None and (folded.mean or folded.std):
        if _is_of_0_to_1(folded):
            takes = (
                f"{order}, values of 0 to 1: that is what the mean and std say that were folded in. "
                "For images of 0 to 255 multiply both by 255 and convert again."
            )
            return Feeding(blob, size, order, zeros, (255.0,) * count, takes)
        return Feeding(blob, size, order, zeros, ones, f"{order}, values of 0 to 255; mean and std are in the net.")
    if is_gluoncv and count == 3:
        mean, std = (each[::-1] if order == "BGR" else each for each in (GLUONCV_MEAN, GLUONCV_STD))
        takes = (
            f"{order}, normalised as GluonCV trains: values of 0 to 255 less {_numbers(mean)}, over {_numbers(std)}. "
            f"To have that in the net: --mean {_plain(GLUONCV_MEAN)} --std {_plain(GLUONCV_STD)}"
        )
        return Feeding(blob, size, order, mean, std, takes)
    takes = (
        f"{order}, normalised as the source takes it: no mean and std are in the net, and none in the calls. "
        "They are for a source that takes values of 0 to 255."
    )
    return Feeding(blob, size, order, zeros, ones, takes)


def _is_of_0_to_1(folded: Preprocessing) -> bool:
    """Whether mean and std are of images with values of 0 to 1: nobody's images of 0 to 255 have so small ones."""
    return all(abs(each) <= 1 for each in (*(folded.mean or ()), *(folded.std or ())))


def _four(values: Any, rest: float) -> tuple[float, ...]:
    found = tuple(values)
    return (*found, *(rest,) * (4 - len(found)))


def _number(value: float) -> str:
    return f"{value:.8g}"


def _numbers(values: tuple[float, ...]) -> str:
    """A Python tuple."""
    return f"({', '.join(map(_number, values))}{',' if len(values) == 1 else ''})"


def _plain(values: Any, separator: str = ",") -> str:
    return separator.join(map(_number, values))
