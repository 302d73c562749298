"""What a package imports that adds a command; the plugin itself is ``larkflock_commands.plugin``.

They are two modules so that a command can be imported before the plugin, which imports all commands.
"""

from __future__ import annotations

from .command import Answer, Call, Command, Usage, at_most, whole

__all__ = ["Answer", "Call", "Command", "Usage", "at_most", "whole"]
