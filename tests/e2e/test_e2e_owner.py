"""What the owner changes on the page: it counts at once, and what is wrong is said beside it."""

from pathlib import Path

import pytest
from e2e_films import noise
from e2e_nodes import holds
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


async def test_a_machine_is_blocked_and_unblocked_on_the_page(
    cluster: Cluster, pages: Pages
) -> None:
    node = await cluster.start_node("Dora")
    other = await cluster.start_node("Ben", join=[node])
    page = await pages.open(node, "/machines", width=360, height=740)
    row = page.locator(f"[data-testid=peer-row][data-node='{other.id}'][data-connected=true]")
    await row.get_by_text("More").click()
    await row.get_by_test_id("block").click()
    await row.get_by_test_id("block-yes").click()
    blocked = page.locator(f"[data-testid=blocked-row][data-node='{other.id}']")
    await expect(blocked).to_contain_text("Ben")
    await expect(row).to_have_count(0)
    await blocked.get_by_test_id("unblock").click()
    await expect(blocked).to_have_count(0)
    await expect(row).to_be_visible()
    assert not pages.errors


async def test_a_copy_is_paused_and_goes_on(cluster: Cluster, pages: Pages, folder: Path) -> None:
    noise(folder / "archive.bin", 20_000_000)
    cleo = await cluster.start_node("Cleo", folders=[folder], flags=["--up-limit", "1MB"])
    emil = await cluster.start_node("Emil", join=[cleo])
    film = await holds(emil, "archive")
    page = await pages.open(emil, "/activity", width=360, height=740)
    emil.api.post(f"/api/v1/videos/{film['id']}/keep")
    job = page.get_by_test_id("job")
    await expect(job).to_have_attribute("data-phase", "fetching")
    await job.get_by_test_id("job-pause").click()
    await expect(job).to_have_attribute("data-phase", "paused")
    await expect(job).to_contain_text("Paused")
    emil = await cluster.start_node("Emil", join=[cleo])
    page = await pages.open(emil, "/activity", width=360, height=740)
    job = page.get_by_test_id("job")
    await expect(job).to_have_attribute("data-phase", "paused")
    await job.get_by_test_id("job-resume").click()
    await expect(job).to_have_attribute("data-phase", "fetching")
    assert not pages.errors
