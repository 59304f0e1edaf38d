"""One module or folder for each kind of detection heads; its `KIND` is what `ssd_heads.registry` asks."""
