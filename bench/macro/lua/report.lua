-- What wrk counted, as one JSON line.
function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\n{"rate": %.1f, "count": %d, "p50Us": %d, "p99Us": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
      summary.requests / summary.duration * 1e6, summary.requests,
      latency:percentile(50), latency:percentile(99),
      e.connect, e.read, e.write, e.timeout, e.status))
end
