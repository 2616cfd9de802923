"""What ``trioscsi watch`` shows in a terminal.

General layout:

- ``source``: where messages come from, a server or a capture; ``player``: when they are shown;
- ``view``: what is known after them, ready to be shown; ``wording``: how it reads;
- ``lines``: a line for each, where there is no terminal;
- ``app``: panes on a terminal (needs textual); ``panes`` and ``dialogs``: its parts.
"""
