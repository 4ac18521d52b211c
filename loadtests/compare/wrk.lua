-- wrk sends the requests that lie one after another in a file, all of one size, in turn and as they are, and tells what it
-- counted in one line at the end.
-- wrk looks at its first request before it begins, and wants it whole: an upload that waits for 100-continue is not, so
-- that first look is given another one.

local first = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
local requests, at = {}, 0

local function nextone()
  at = at % #requests + 1
  return requests[at]
end

wrk.init = function(arguments)
  local file, size = assert(io.open(arguments[1], "rb")), tonumber(arguments[2])
  local raw = file:read(size)
  while raw do
    requests[#requests + 1] = raw
    raw = file:read(size)
  end
  file:close()
end

-- A global: wrk asks it before each request, rather than once.
function request()
  request = nextone
  return first
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "figures requests=%d microseconds=%d connect=%d read=%d write=%d status=%d timeout=%d p50=%d p99=%d\n",
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
