"""Lexicons to begin with. Short and open to doubt: read them before you publish them."""
