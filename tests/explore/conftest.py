from tests.report.conftest import chromium, made_card  # noqa: F401 (fixtures)
