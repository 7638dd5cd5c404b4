"""The kinds of statement as values: strict in, canonical out. Nothing here trusts anything."""
