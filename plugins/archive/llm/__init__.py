"""Summaries by a language model at any OpenAI-compatible endpoint; off unless the operator turns it on."""
