"""SOPs: written and checked, entered, carried out step by step, and ended."""
