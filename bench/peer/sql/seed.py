"""Fill the peer's register and tag map from its gateway: python seed.py GATEWAY_URL DSN N."""

import json
import sys
import urllib.request

import psycopg

gateway, dsn, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
urllib.request.urlopen(f"{gateway}/admin/n?n={n}").read()
keys = json.load(urllib.request.urlopen(f"{gateway}/api/redis/keys?pattern=*"))["keys"]
KINDS = [
    ["HEALTH_SCORE", "LAST_INSP_DT", "MAINT_FLAG", "VLV_MAN_STS", "WO_STS"],
    ["V_RY", "V_YB", "I_R", "KW", "PF"],
    ["PUMP_STS", "VIB_X", "TEMP_BRG", "FLOW", "RUN_HRS"],
    ["FLOW_RATE", "TOTALIZER", "VELOCITY", "PIPE_STS", "BATT_V"],
    ["PRESSURE", "TEMP", "BATT_V", "RSSI", "COMM_STS"],
]
param_ids = {tag: i + 1 for i, tag in enumerate(sorted({t for kind in KINDS for t in kind}))}
with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
    with cursor.copy("COPY ic3_parameter_master FROM STDIN") as copy:
        for tag, param_id in param_ids.items():
            copy.write_row((param_id, tag.title(), tag, None))
    with cursor.copy("COPY ic3_asset_master FROM STDIN") as copy:
        for i, key in enumerate(keys):
            copy.write_row((i + 1, key.removeprefix("ic3:latest:")))
    with cursor.copy("COPY ic3_asset_tag_map FROM STDIN") as copy:
        for i in range(len(keys)):
            for tag in KINDS[i % 5]:
                copy.write_row((i + 1, tag, param_ids[tag]))
    connection.commit()
    connection.autocommit = True
    cursor.execute("ANALYZE")
