-- SPDX-License-Identifier: Apache-2.0
-- Shared by the load scripts: the result as one line of JSON, after wrk's own text.
function done(summary, latency)
	local e = summary.errors
	io.write(string.format('\n{"requests":%d,"rps":%.1f,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
		summary.requests, summary.requests / summary.duration * 1e6,
		latency:percentile(50) / 1000, latency:percentile(99) / 1000,
		e.connect + e.read + e.write + e.status + e.timeout))
end

json = { ["Content-Type"] = "application/json" }
