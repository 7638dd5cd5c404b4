"""Ways to sign: each signer holds one private key and never shows it."""
