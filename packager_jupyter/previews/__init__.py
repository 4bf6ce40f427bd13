"""What a file looks like, read in parts and never whole.

Everything here is hostile until it is checked. Plain formats (text, CSV, JSON, image headers) are
read in this process within fixed limits; formats that need a library written in C are read in a
process of their own with limits on memory and time (`isolated`, `worker`). This room knows no
package and no HTTP: it is given a `RangedFile` and returns a `Preview`.
"""
