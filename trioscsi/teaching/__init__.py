"""Seeing the protocol: diagrams of its machines."""
