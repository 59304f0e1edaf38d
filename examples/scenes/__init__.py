"""A small trained GluonCV SSD that finds digits in scenes, and the demo that converts it to Caffe."""
