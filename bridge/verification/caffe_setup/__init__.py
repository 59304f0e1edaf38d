"""Sets up a real Caffe in a folder of its own: ``python -m gluon2caffe.bridge.verification.caffe_setup``."""
