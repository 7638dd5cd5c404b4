"""The site controller: site file, keeper (what counts), engine (what is done), daemon (how it runs)."""
