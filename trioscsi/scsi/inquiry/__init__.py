"""What a unit is (SPC-4 sections 6.6 and 7.8).

- ``command``: INQUIRY; ``vpd``: most of its pages; ``abilities``: more of them;
- ``identity``: names that no restart changes; ``designation``: how names are told.
"""
