"""Builds a real Caffe from source where its wheels do not run: `python -m tools.caffe_from_source`."""
