"""What the owner changes on the page: it counts at once, and what is wrong is said beside it."""

import pytest
from e2e_pages import Pages
from playwright.async_api import expect

from headwater.lab.cluster import Cluster

pytestmark = pytest.mark.timeout(120)


async def test_name_and_limits_are_changed_on_the_page(cluster: Cluster, pages: Pages) -> None:
    node = await cluster.start_node("Anna")
    page = await pages.open(node, "/settings", width=360, height=740)
    up, name = page.get_by_test_id("setting-up"), page.get_by_test_id("setting-name")
    await up.fill("fast")
    await up.press("Enter")
    await expect(page.get_by_test_id("setting-up-error")).to_contain_text("is no number")
    await up.fill("2,5")
    await up.press("Enter")
    await expect(page.get_by_test_id("setting-up-told")).to_contain_text("Saved")
    await expect(page.get_by_test_id("setting-up-error")).to_be_empty()
    await expect(up).to_have_value("2.5")
    await name.fill("x" * 70)
    await name.press("Tab")
    await expect(page.get_by_test_id("setting-name-error")).to_contain_text("64 characters")
    await name.fill("Anna's desk")
    await name.press("Tab")
    await expect(page.get_by_test_id("setting-name-told")).to_contain_text("Saved")
    status = node.api.get("/api/v1/status")
    assert (status["name"], status["limits"]["up_bytes_s"]) == ("Anna's desk", 312_500)
    assert not pages.errors
