"""Packages as git repositories: made from published versions with git's own ``fast-import``.

`base` says what a repository is made of, `names` which paths git can hold, `fastimport` speaks to
git, `annex`, `dvc` and `lfs` lay out one kind each, `keys` remembers which file a key of theirs
means, and `repos` keeps what was made.
"""
