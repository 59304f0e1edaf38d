"""The trained nets of the other examples, quantised to 8 bits by the compilers of two makers of camera chips."""
