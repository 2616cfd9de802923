"""A CD-ROM (MMC-6): ``drive``: the unit; ``discs``, ``tray``: the commands that it alone has."""
