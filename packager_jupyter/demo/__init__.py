"""A complete sample on a fresh machine: a storage, a package, a version, a share, JupyterLab.

`survey` invents the data, `formats` writes its file formats, `curate` makes the package as a
person would, `lab` runs JupyterLab on it. Everything lives in one folder of its own, so that the
sample touches nothing else and removing the folder removes the sample.
"""
