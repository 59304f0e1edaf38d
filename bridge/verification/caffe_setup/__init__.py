"""Sets up a real Caffe in a folder of its own: ``python -m bridge.verification.caffe_setup``."""
