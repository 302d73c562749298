"""What one plugin may ask of the platform: what its manifest names, and nothing else; it never calls anything."""

from __future__ import annotations

from typing import Any

from ..errors import Undeclared
from ..feishu import scopes
from ..manifest import Manifest


class Permissions:
    """The scopes and APIs that a manifest names."""

    def __init__(self, manifest: Manifest) -> None:
        self._plugin = manifest.name
        self._scopes = frozenset(manifest.permissions)
        self._apis = manifest.apis
        self._closed = {
            feature: lacking
            for feature, wanted in scopes.FEATURES.items()
            if (lacking := [one for one in wanted if self._scopes.isdisjoint(one)])
        }

    def require(self, feature: str) -> None:
        """Raises ``Undeclared`` when what opens ``feature``, one of ``scopes.FEATURES``, is not declared."""
        if feature in self._closed:
            self._refuse(feature, self._closed[feature])

    def require_api(self, request: Any) -> None:
        """Raises ``Undeclared`` when what opens the API of an SDK's request object is not declared, nor the API."""
        method, uri = str(request.http_method.name), str(request.uri)
        wanted = scopes.opening(method, uri)
        if wanted == () or (wanted and not self._scopes.isdisjoint(wanted)):
            return
        if any(scopes.matches(api, method, uri) for api in self._apis):
            return
        if wanted:
            self._refuse(f"{method} {uri}", [wanted])
        raise Undeclared(
            f"{self._plugin}: which scope opens {method} {uri} is not known here; name the API in the manifest, "
            f'apis=(…, "{method} {uri}"), and its scope in permissions=(…)'
        )

    def _refuse(self, what: str, lacking: list[scopes.Alternatives]) -> None:
        line = ", ".join(f'"{wanted[0]}"' for wanted in lacking)
        others = [f"{' or '.join(wanted[1:])} instead of {wanted[0]}" for wanted in lacking if wanted[1:]]
        also = f"; {', '.join(others)} would do as well" if others else ""
        raise Undeclared(
            f"{self._plugin}: {what} needs a scope that is not in the manifest; add permissions=(…, {line}){also}"
        )
