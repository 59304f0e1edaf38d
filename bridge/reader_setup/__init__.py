"""Sets up readers in folders of their own: what `gluon2caffe readers setup` does. Only that command imports it."""
