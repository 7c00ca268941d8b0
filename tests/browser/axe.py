"""Accessibility of what the course shows, by axe-core. What JupyterLab builds around it is not ours to mend."""

from importlib.resources import files

from playwright.sync_api import Page

SHORTEST_DESCRIPTION = 20  # letters
OURS = [".jp-OutputArea-output", ".jp-MarkdownOutput"]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# JupyterLab's body has no height and "overflow: hidden", which in truth is the window's. axe takes it for the body's,
# holds all for clipped away, and finds nothing. The rule that is off is about links, which JupyterLab's themes draw.
RUN = """async ours => {
    document.body.style.overflow = "visible";
    const rules = {"link-in-text-block": {enabled: false}};
    const found = await axe.run({include: ours}, {resultTypes: ["violations"], rules});
    document.body.style.overflow = "";
    return found.violations;
}"""


def serious_violations(page: Page, *, within: list[str] = OURS) -> list[str]:
    """What axe calls serious or critical, one line each: the rule, what is wrong, the element.

    Args:
        page: as it stands, with its theme. axe sees only what is in view: `Notebook.unrolled()`.
        within: CSS selectors of what to look at.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    present = [selector for selector in within if page.locator(selector).count()]
    return [
        f"{violation['id']}: {violation['help']}: {node['html']}"
        for violation in page.evaluate(RUN, present)
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def images_without_words(page: Page) -> list[str]:
    """Images without an alternative text of their own; in its place JupyterLab writes "Image", and axe is content."""
    images = page.locator(", ".join(f"{selector} img" for selector in OURS))
    return [
        image.evaluate("image => image.outerHTML.slice(0, 300)")
        for image in images.all()
        if len(image.get_attribute("alt") or "") < SHORTEST_DESCRIPTION
    ]
