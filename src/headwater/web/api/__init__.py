"""The REST API and the events' WebSocket."""
