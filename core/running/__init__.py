"""The plugins at work: who hears an event, when, again or never; who comes and goes while the program runs."""
