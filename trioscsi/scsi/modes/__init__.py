"""Mode parameters: what initiators may ask and change (SPC-4 section 7.5).

- ``sense``, ``select``: the commands that tell and set them;
- ``page``: what a mode page is; ``pages``: which there are; ``state``: their values in a unit.
"""
