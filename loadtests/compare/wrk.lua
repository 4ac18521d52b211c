-- wrk sends the one request that lies in a file, as it is, and tells what it counted in one line at the end.
-- wrk looks at its first request before it begins, and wants it whole: an upload that waits for 100-continue is not, so
-- that first look is given another one.

local first = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

wrk.init = function(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local raw = file:read("*a")
  file:close()
  local looked = false
  wrk.request = function()
    if not looked then
      looked = true
      return first
    end
    return raw
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "figures requests=%d microseconds=%d connect=%d read=%d write=%d status=%d timeout=%d p50=%d p99=%d\n",
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
