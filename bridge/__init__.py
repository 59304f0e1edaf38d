"""From a source to Caffe files: export, graph surgery, conversion, verification, inspection and the command line."""
