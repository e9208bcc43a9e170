"""Pumps, districts and findings as the database has them: seen, judged, with hostile names."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from browsing import Looking
from driven import PASSWORD, Product
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from ic3.analytics.dma import DMA, InflowMeter, PressurePoint
from ic3.analytics.inflow import Readings
from ic3.analytics.nrw import nrw_report
from ic3.analytics.pump_health import assess
from ic3.analytics.pump_limits import PumpLimits
from ic3.analytics.pump_samples import PumpNameplate, PumpSamples
from ic3.domain.nrw import Leak
from ic3.domain.pumps import Life, PumpTrend

pytestmark = pytest.mark.timeout(240)

HOSTILE = "<script>x</script> ख/9 %?#"
ADDRESS = "%3Cscript%3Ex%3C%2Fscript%3E%20%E0%A4%96%2F9%20%25%3F%23"
SENTENCE = "vibration 9 mm/s, score 0 of 100"
DISTRICT = "DEL-D01-A1"
ASSET = """
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)
VALUES (900001, %s, 'pump', 'DEL-D01') RETURNING asset_id
"""
HEALTH = """
INSERT INTO ic3_pump_health (asset_id, assessed_at, from_at, until_at, health, coverage, worst,
    assessment, trend)
VALUES (900001, now(), now() - interval '2 h', now(), 12.5, 0.35, %s, %s, %s) RETURNING asset_id
"""
FINDING = """
INSERT INTO ic3_finding (kind, cause, asset_id, serial, category, domain, opened_at, since,
    last_seen_at, state, severity, peak_severity, confidence, peak_confidence, sentence, evidence)
VALUES ('pump', 'pump:vibration', 900001, %s, 'pump', 'DEL-D01', now(), now(), now(), 'open', 8, 8,
    70, 70, %s, '{"sub_score": {"value": 9.0}}') RETURNING id
"""
FIGURES = """
INSERT INTO ic3_nrw AS kept (dma_id, domain, computed_at, from_at, until_at, definition_version,
    report, leak)
VALUES (%s, 'DEL-D01', now(), now() - interval '7 d', now(), 1, %s, %s)
ON CONFLICT (dma_id) DO UPDATE SET report = excluded.report, leak = excluded.leak,
    until_at = excluded.until_at
RETURNING dma_id
"""
NO_LIFE = Life(
    low_days=None, median_days=None, high_days=None, reason="not computed: too little",
    by="head", limit_percent=-10.0, coverage=0.0, weeks=0,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def figures(product: Product) -> None:
    """A shaking pump with a hostile name and a finding, and a district read by nine tenths."""
    shaking = PumpSamples(
        at_s=np.arange(0.0, 7200.0, 300.0), running=np.ones(24), vibration_de_mm_s=np.full(24, 9.0)
    )
    of = assess(shaking, None, PumpLimits(), plate=PumpNameplate())
    trend = PumpTrend(day=None, wear=[], life=NO_LIFE)
    product.sql(ASSET, HOSTILE)
    product.sql(HEALTH, of.worst, plain(of), plain(trend))
    product.sql(FINDING, HOSTILE, SENTENCE)
    dma = DMA(
        dma_id=DISTRICT, name="x", domain="DEL-D01", valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        meters=(InflowMeter(serial="M", tag="FLOW"),),
        pressure_points=(PressurePoint(serial="P", tag="PRESSURE", point="average"),),
        connections=2666, population=13330, mains_km=8, billed_m3_d=1800,
    )  # fmt: skip
    begin = int((datetime.now(UTC) - timedelta(days=7)).timestamp()) // 3600 * 3600
    flow = np.where(np.arange(2016) % 10 == 0, np.nan, 100.0)
    series = {
        key: np.full(2016, 25.0) if "PRESSURE" in key else flow for key in sorted(dma.keys)
    }  # fmt: skip
    report = nrw_report(dma, Readings(begin + np.arange(2016) * 300, series))
    leak = Leak(leak_probability=0.8, burst_reason="still learning", loss_m3_h=12.0)
    product.sql(FIGURES, DISTRICT, plain(report), plain(leak))


def plain(content: object) -> Jsonb:
    return Jsonb(msgspec.json.decode(msgspec.json.encode(content)))


def test_the_least_healthy_pump_is_first_and_opens_whatever_its_name(inside: Looking) -> None:
    page = inside.at("/pumps")
    row = page.get_by_role("table", name="Pumps, least healthy first").get_by_role("row").nth(1)
    expect(row).to_contain_text("9 mm/s")
    assert inside.axe() == []
    row.get_by_role("link", name=HOSTILE).click()
    expect(page).to_have_url(re.compile(re.escape(f"/pumps/{ADDRESS}")))
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_text("not computed: no reading of flow").first).to_be_visible()
    expect(page.get_by_text("No operating point")).to_be_visible()
    assert inside.axe() == []


def test_a_verdict_is_kept_and_moves_the_share_of_false_ones(inside: Looking) -> None:
    page = inside.at(f"/pumps/{ADDRESS}")
    page.get_by_role("button", name="Evidence").click()
    expect(page.get_by_text("sub score · value")).to_be_visible()
    page.get_by_role("button", name=f"False alarm: {SENTENCE}").click()
    expect(page.get_by_text("No open finding.")).to_be_visible()
    page.get_by_role("button", name="Closed ones too").click()
    expect(page.get_by_text("judged false", exact=True)).to_be_visible()
    inside.at("/pumps")
    expect(page.get_by_text("100 % of 1 judged, 21–100 %")).to_be_visible()


def test_a_pump_that_nobody_assessed_says_so(inside: Looking) -> None:
    page = inside.at("/pumps/nobody")
    expect(page.get_by_text("No pump called “nobody” has been assessed.")).to_be_visible()


def test_an_engineer_enters_the_plate_of_a_pump(inside: Looking, product: Product) -> None:
    page = inside.at(f"/pumps/{ADDRESS}")
    page.get_by_role("button", name="Enter the plate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Best flow").fill("420.5")
    dialog.get_by_label("Insulation class").select_option("H")
    assert inside.axe() == []
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("420.5 m³/h", exact=True)).to_be_visible()
    expect(page.get_by_text("Not entered: Nominal speed")).to_be_visible()
    plate = product.get(f"/api/ai/pump-health/{ADDRESS}")["plate"]["plate"]
    assert plate["best_flow_m3_h"] == 420.5


def test_a_district_read_in_part_is_provisional_on_both_pages(inside: Looking) -> None:
    page = inside.at("/dma")
    expect(page.get_by_text("provisional (90 % of inflow readings)").first).to_be_visible()
    assert inside.axe() == []
    page.get_by_role("table").get_by_role("link", name="Narela Sector A-6").click()
    expect(page).to_have_url(re.compile(f"/dma/{DISTRICT}$"))
    expect(page.get_by_text("Leak, by nights: 80 %")).to_be_visible()
    expect(page.get_by_text("Burst, by hours: – still learning")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Input 16,.* billed"))).to_be_visible()
    assert inside.axe() == []
    assert inside.troubles() == []


def test_the_pages_are_accessible_by_night_in_hindi_on_a_phone(looking: Looking) -> None:
    page = looking.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/login")
    kept = '{"theme":"night","language":"hi"}'
    page.evaluate("kept => localStorage.setItem('ic3.settings', kept)", kept)
    page.goto("/pumps")
    page.get_by_label("पासवर्ड").fill(PASSWORD)
    page.get_by_label("उपयोगकर्ता नाम").fill("admin")
    page.get_by_role("button", name="लॉग इन करें").click()
    for path in ("/pumps", f"/pumps/{ADDRESS}", "/dma", f"/dma/{DISTRICT}", "/ingest"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert looking.axe() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
