"""Files of messages: fetched once for all plugins, kept on disk or uploaded to Bitable."""
