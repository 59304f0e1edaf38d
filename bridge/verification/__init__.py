"""Runs Caffe files on real readers and compares what they compute with the model they came from."""
