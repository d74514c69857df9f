-- A token is good only with the client certificate that it names: cnf.x5t#S256 is the SHA-256 of the certificate in
-- base64url without padding (RFC 8705 section 3.1).

local function base64url(handle, hex)
  local octets = hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  return (handle:base64Escape(octets):gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
end

function envoy_on_request(handle)
  local info = handle:streamInfo()
  local token = info:dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local bound = token and token["claims"] and token["claims"]["cnf"]
  local shown = base64url(handle, info:downstreamSslConnection():sha256PeerCertificateDigest())
  if type(bound) ~= "table" or bound["x5t#S256"] ~= shown then
    handle:respond({[":status"] = "403"}, "the token is bound to another certificate, or to none\n")
  end
end
