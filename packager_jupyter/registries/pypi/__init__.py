"""The Python package index: what pip, uv, twine, poetry and hatch speak, over an OCI feed."""
