"""How Sphinx builds the site: `make site`."""

from importlib import metadata

project = "gluon2caffe"
version = release = metadata.version("gluon2caffe")
author = project_copyright = "the gluon2caffe authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["*.json"]
# Headings can be linked to: #name-of-the-heading.
myst_heading_anchors = 3
# ONNX's domains and the like are no web addresses.
myst_linkify_fuzzy_links = False

html_theme = "furo"
html_title = f"gluon2caffe {version}"
html_show_sphinx = False

# Attributes that a docstring lists are not listed a second time as members.
napoleon_use_ivar = True
autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
# The public names live in the rooms behind the front door.
autodoc_default_options = {"members": True, "imported-members": True}
nitpicky = False
