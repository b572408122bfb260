"""The HTTP side: API, gateway, the page."""
