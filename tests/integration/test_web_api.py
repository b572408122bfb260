"""The REST API against a node in memory, over real HTTP."""

import asyncio

from web_fakes import FakeNode, serving


def test_status_tells_who_the_node_is() -> None:
    async def _run() -> None:
        async with serving(FakeNode()) as web:
            status = (await web.client.get("/api/v1/status")).json()
            assert status["name"] == "Anna's laptop" and status["is_owner"]
            assert status["id"] == web.node.identity.node.hex()

    asyncio.run(_run())
