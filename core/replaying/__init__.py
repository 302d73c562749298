"""The journal a second time: rebuilding a plugin's tables, and stretches of it as fixtures without people in them."""
