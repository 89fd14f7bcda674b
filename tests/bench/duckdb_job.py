# SPDX-License-Identifier: Apache-2.0
"""duckdb_job.py JOB THREADS FILE OUT SECONDS: one job of the benchmark in DuckDB.

SECONDS is the file that gets the wall and processor time of the query alone, without Python's start.
Each job names only the columns that it needs, with their types, which is DuckDB's best case.
"""
import sys
import time

import duckdb

JOBS = {
    "filter": """COPY (SELECT * FROM read_json('{file}', format = 'newline_delimited', columns = {all})
                 WHERE status >= 500) TO '{out}' (FORMAT json)""",
    "window": """COPY (SELECT substr(ts, 1, 16) AS window_start, path, count(*) AS "count", sum(bytes) AS sum_bytes
                 FROM read_json('{file}', format = 'newline_delimited',
                                columns = {{ts: 'VARCHAR', path: 'VARCHAR', bytes: 'BIGINT'}})
                 GROUP BY ALL) TO '{out}' (FORMAT json)""",
    "dedupe": """COPY (SELECT DISTINCT ON (id) * FROM read_json('{file}', format = 'newline_delimited',
                 columns = {all})) TO '{out}' (FORMAT json)""",
}
ALL = """{ts: 'VARCHAR', id: 'VARCHAR', user: 'VARCHAR', session: 'VARCHAR', path: 'VARCHAR', method: 'VARCHAR',
          status: 'INTEGER', bytes: 'BIGINT', latency_ms: 'DOUBLE', ip: 'VARCHAR', agent: 'VARCHAR'}"""


def main():
    job, threads, file, out, seconds = sys.argv[1:]
    connection = duckdb.connect(config={"threads": threads})
    begin, begin_cpu = time.perf_counter(), time.process_time()
    connection.execute(JOBS[job].format(file=file, out=out, all=ALL))
    with open(seconds, "w", encoding="ascii") as f:
        f.write(f"{time.perf_counter() - begin:.6f} {time.process_time() - begin_cpu:.6f}\n")


main()
