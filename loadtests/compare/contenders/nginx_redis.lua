-- The C contender: SHA-256 of the one file of a multipart body by FFI against libcrypto, then GET from Redis.
-- A body up to SMALL is digested where it lies, when it is complete. A larger one is digested while it comes, a piece at a
-- time: it is never copied as a whole, and each piece is still in the processor's cache. Connections are kept.
-- Only hits: what is not in Redis is 404.

local ffi = require "ffi"
local redis = require "nginx.redis"

ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const EVP_MD *EVP_sha256(void);
int EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *type, void *engine);
int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *d, size_t cnt);
int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md, unsigned int *s);
]]
local crypto = ffi.load "crypto.so.3"
local algorithm = crypto.EVP_sha256()
local digest = ffi.new "unsigned char[32]"
local idle = {} -- contexts: as many as requests were under way at a time
local SMALL, PIECE = 128 * 1024, 64 * 1024
local hexadecimal = {}
for byte = 0, 255 do
  hexadecimal[byte] = string.format("%02x", byte)
end

local function from(bytes, first)
  return ffi.cast("const unsigned char *", bytes) + first
end

local function written()
  local pairs = {}
  for at = 0, 31 do
    pairs[at + 1] = hexadecimal[digest[at]]
  end
  return table.concat(pairs)
end

-- The SHA-256 of the one part between its head and *closing*, with which the body ends (RFC 2046 section 5.1.1); nil when
-- the body, of *length* bytes, is not of that form.
local function small(closing)
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local _, head = string.find(body or "", "\r\n\r\n", 1, true)
  if not head or string.sub(body, -#closing) ~= closing then
    return nil
  end
  crypto.SHA256(from(body, head), #body - #closing - head, digest)
  return written()
end

local function large(closing, length)
  local socket = ngx.req.socket()
  local context = table.remove(idle) or ffi.gc(crypto.EVP_MD_CTX_new(), crypto.EVP_MD_CTX_free)
  crypto.EVP_DigestInit_ex(context, algorithm, nil)
  local before, left, ending = "", nil, ""
  while length > 0 do
    local piece = socket and socket:receiveany(PIECE)
    if not piece then
      return nil
    end
    length = length - #piece
    local first = 0
    if not left then
      piece = before .. piece
      local _, head = string.find(piece, "\r\n\r\n", 1, true)
      before, first, left = piece, head, head and #piece - head + length - #closing
    end
    if left then
      local size = math.min(left, #piece - first)
      crypto.EVP_DigestUpdate(context, from(piece, first), size)
      left = left - size
      if left == 0 then
        ending = ending .. string.sub(piece, first + size + 1)
      end
    end
  end
  crypto.EVP_DigestFinal_ex(context, digest, nil)
  table.insert(idle, context)
  return ending == closing and written() or nil
end

local contender = {}

-- What is larger goes on at *elsewhere*, where sockets have buffers of PIECE: too large for what Redis answers.
function contender.answer(port, elsewhere)
  local boundary = string.match(ngx.var.content_type or "", 'boundary="?([^";]+)')
  local length = tonumber(ngx.var.http_content_length)
  if not boundary or not length then
    return ngx.exit(400)
  end
  if length > SMALL and elsewhere then
    return ngx.exec(elsewhere)
  end
  local closing = "\r\n--" .. boundary .. "--\r\n"
  local name
  if elsewhere then
    name = small(closing)
  else
    name = large(closing, length)
  end
  if not name then
    return ngx.exit(400)
  end
  local store = redis:new()
  store:set_timeout(10000)
  local connected = store:connect("127.0.0.1", port)
  if not connected then
    return ngx.exit(503)
  end
  local known = store:get("analysis:" .. name)
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
