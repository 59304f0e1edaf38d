"""A small trained Gluon classifier of handwritten digits, and the demo that converts it to Caffe."""
