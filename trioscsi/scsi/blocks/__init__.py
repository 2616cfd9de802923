"""What is done with blocks: commands by noun (SBC-3 sections 4 and 5).

- ``transfer``, ``verify``: to read, write and check them; ``same``: one block, written many times;
- ``compare``, ``orwrite``, ``atomic``: writes that depend on what is there, or happen whole;
- ``capacity``: how many there are; ``referrals``: where to ask for them;
- ``provisioning``: which have storage; ``thresholds``: who hears that room gets scarce;
- ``cache``, ``prefetch``: what is stored for good, and what is wanted soon;
- ``defects``: those that went bad.
"""
