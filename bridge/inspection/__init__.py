"""Looking inside: what a source becomes, node by node and layer by layer, and what a target cannot compute."""
