"""The subcommands of ``trioscsi conformance`` but ``run``, and what they have in common."""
