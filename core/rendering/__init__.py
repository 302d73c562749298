"""Messages as readable text: one file for messages, one for posts, one for cards; pure, and never on the network."""
