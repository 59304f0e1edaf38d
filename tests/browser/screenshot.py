"""Take the picture of Netron that README shows: the intermediate of the digits classifier, one node opened.

    python -m tests.browser.screenshot docs/images/netron.png

It needs Chromium and a font with the brackets of Netron's shapes, U+3008 (Debian: chromium, fonts-wqy-microhei).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import onnx

import gluon2caffe
from examples.digits.classifier import INPUT_SHAPE, load_classifier
from gluon2caffe.bridge.inspection.netron_view import NetronView
from gluon2caffe.onnx2caffe.errors import ConversionError
from tests.browser.chromium import Chromium, find_chromium, wait_for
from tests.browser.netron_page import open_model, open_properties

WIDTH, HEIGHT = 1280, 760


def take_picture(program: str, net: object, input_shape: tuple[int, ...]) -> bytes:
    """Open the intermediate of a Gluon net in Netron, and the properties of its first node; return a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "intermediate.onnx"
        model = gluon2caffe.to_onnx(net, input_shape)
        onnx.save(model, file)
        node = model.graph.node[0]
        with NetronView(file, 0) as view, Chromium(program, WIDTH, HEIGHT) as page:
            open_model(page, view.url, node.op_type)
            open_properties(page, node.name, node.doc_string)
            # The panel slides in.
            wait_for(lambda: not page.evaluate("document.getAnimations().length"), 10)
            return page.screenshot()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the .png file to write")
    words = parser.parse_args()
    program = find_chromium()
    if program is None:
        print("There is no Chromium here: apt-get install chromium brings it.", file=sys.stderr)
        return 1
    try:
        picture = take_picture(program, load_classifier(), INPUT_SHAPE)
    except ConversionError as error:
        print(error, file=sys.stderr)
        return 1
    words.output.parent.mkdir(parents=True, exist_ok=True)
    words.output.write_bytes(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
