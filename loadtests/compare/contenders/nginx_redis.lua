-- The C contender: SHA-256 of the one file of a multipart body by FFI against libcrypto, then GET from Redis.
-- The body is in memory, and the file is digested where it lies: no copy is made of it. Connections are kept.
-- Only hits: what is not in Redis is 404.

local ffi = require "ffi"
local redis = require "nginx.redis"

ffi.cdef "unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);"
local crypto = ffi.load "crypto.so.3"
local digest = ffi.new "unsigned char[32]"
local hexadecimal = {}
for byte = 0, 255 do
  hexadecimal[byte] = string.format("%02x", byte)
end

local function sha256(bytes, first, size)
  crypto.SHA256(ffi.cast("const unsigned char *", bytes) + first, size, digest)
  local pairs = {}
  for at = 0, 31 do
    pairs[at + 1] = hexadecimal[digest[at]]
  end
  return table.concat(pairs)
end

local contender = {}

function contender.answer(port)
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local boundary = string.match(ngx.var.content_type or "", 'boundary="?([^";]+)')
  if not body or not boundary then
    return ngx.exit(400)
  end
  -- One part: it begins after its head, and ends before the delimiter that closes the body (RFC 2046 section 5.1.1).
  local _, head = string.find(body, "\r\n\r\n", 1, true)
  local closing = "\r\n--" .. boundary .. "--"
  local last = #body - #closing + 1
  if string.sub(body, -2) == "\r\n" then
    last = last - 2
  end
  if not head or string.sub(body, last, last + #closing - 1) ~= closing then
    return ngx.exit(400)
  end
  local store = redis:new()
  store:set_timeout(1000)
  local connected = store:connect("127.0.0.1", port)
  if not connected then
    return ngx.exit(503)
  end
  local known = store:get("analysis:" .. sha256(body, head, last - 1 - head))
  store:set_keepalive(60000, 20)
  if not known or known == ngx.null then
    return ngx.exit(404)
  end
  local answer = '{"success":true,"cached":true,"result":' .. known .. "}"
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #answer
  ngx.header["X-Cache"] = "HIT"
  ngx.print(answer)
end

return contender
