"""Is a plugin fit to run: found, imported, examined, and what it may ask of the platform; no hook is called here."""
