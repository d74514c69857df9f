"""Starts an issuer, gatepost and Envoy, asks in every way that matters, and says whether each answer is the right one.

Usage: check.py GATEPOST ENVOY FOLDER. Everything that is made at run time goes into FOLDER.
"""

import base64
import datetime
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import socket
import ssl
import string
import subprocess
import sys
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = pathlib.Path(__file__).resolve().parent
ISSUER, AUDIENCE = "https://id.example/", "https://gate.example"
QUESTION = json.dumps({"email": "ann@example.com"})
# What gatepost lets a new client have at once: three quarters of its burst.
RATE, BURST = 60, 40
AT_ONCE = BURST * 3 // 4


class Authority:
    """A certificate authority with a key of its own."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        ca = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._sign(self.name, self.key.public_key(), [(ca, True)])

    def _sign(self, subject, public_key, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(self.name, subject, public_key, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(minutes=5))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, folder, file, host):
        """Writes FILE.pem and FILE.key; answers the certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._sign(subject, key.public_key(), [(constraints, True), (names, False), (usage, False)])
        write(folder / f"{file}.pem", pem(certificate))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write(folder / f"{file}.key", private)
        return certificate


def write(path, octets):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(octets)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def thumbprint(certificate):
    return base64url(hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())


class Issuer:
    """Signs tokens by ES256 and publishes its key on loopback."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(32, "big")) for number in (public.x, public.y))
        key_set = {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": x, "y": y}]}
        body = json.dumps(key_set).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, bound_to, **changed):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "client_id": "shop", "scope": "gatepost:validate"}
        claims |= {"iat": now, "exp": now + 300, "cnf": {"x5t#S256": thumbprint(bound_to)} if bound_to else None}
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def unsigned(token):
    """The same claims under `alg: none`."""
    header = base64url(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    return f"{header}.{token.split('.')[1]}."


class ToSidecar(http.client.HTTPSConnection):
    """To the sidecar of gatepost on loopback, which has a name of the mesh."""

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname="gate.mesh.example")


class Mesh:
    """Where everything listens, and how it is asked."""

    def __init__(self, folder, gatepost, envoy):
        self.folder = folder
        self.ours, rogue = Authority("mesh"), Authority("rogue")
        write(folder / "ca.pem", pem(self.ours.certificate))
        self.shop = self.ours.issue(folder, "shop", "shop.mesh.example")
        self.other = self.ours.issue(folder, "other", "other.mesh.example")
        self.ours.issue(folder, "gate", "gate.mesh.example")
        rogue.issue(folder, "rogue", "shop.mesh.example")
        self.issuer = Issuer()
        self.processes = []
        self.gatepost_port = self.start_gatepost(gatepost)
        self.shop_port, self.gate_port, self.admin_port = free_ports(3)
        self.start_envoy(envoy)

    def start_gatepost(self, program):
        settings = {
            "GATEPOST_AUTH_ISSUER": ISSUER,
            "GATEPOST_AUTH_AUDIENCE": AUDIENCE,
            "GATEPOST_AUTH_JWKS_URL": f"http://127.0.0.1:{self.issuer.port}/jwks.json",
            "GATEPOST_LIMITS_REQUESTS_PER_MINUTE": str(RATE),
            "GATEPOST_LIMITS_BURST": str(BURST),
        }
        with open(self.folder / "gatepost.log", "wb") as log:
            process = subprocess.Popen(
                [program, "serve", "--port", "0"], env=os.environ | settings, stdout=subprocess.PIPE, stderr=log
            )
        self.processes.append(process)
        line = process.stdout.readline().decode()
        return int(line.rsplit(":", 1)[1])

    def start_envoy(self, program):
        template = string.Template((HERE / "envoy.yaml").read_text())
        ports = {name: getattr(self, name) for name in ("shop_port", "gate_port", "admin_port", "gatepost_port")}
        config = template.substitute(ports, jwks_port=self.issuer.port, folder=self.folder, here=HERE)
        write(self.folder / "envoy.yaml", config.encode())
        with open(self.folder / "envoy.log", "wb") as log:
            self.processes.append(
                subprocess.Popen(
                    # No hot restart: it would claim names that another Envoy of this machine may have.
                    [program, "-c", self.folder / "envoy.yaml", "--concurrency", "1", "-l", "warning"]
                    + ["--disable-hot-restart"],
                    stdout=log,
                    stderr=log,
                )
            )
        until = time.monotonic() + 30
        while not self.is_ready():
            if until < time.monotonic() or self.processes[-1].poll() is not None:
                sys.exit(f"Envoy did not start:\n{(self.folder / 'envoy.log').read_text()}")
            time.sleep(0.05)

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def connection(self, certificate):
        """As the holder of a certificate, or as nobody."""
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        if certificate:
            context.load_cert_chain(self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key")
        return ToSidecar("127.0.0.1", self.gate_port, timeout=20, context=context)

    def over_tls(self, certificate, token, **fields):
        try:
            return said(ask(self.connection(certificate), token, **fields))
        except (ssl.SSLError, ConnectionError):
            return "no connection"

    def through_sidecar(self, token):
        return said(ask(http.client.HTTPConnection("127.0.0.1", self.shop_port, timeout=20), token))

    def past_envoy(self, token, certificate=None):
        """Straight to gatepost: it does not take anybody's word for it."""
        fields = {"x_local_client_cert": urllib.parse.quote(pem(certificate))} if certificate else {}
        return said(ask(http.client.HTTPConnection("127.0.0.1", self.gatepost_port, timeout=20), token, **fields))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def ask(connection, token, **fields):
    headers = {"content-type": "application/json"}
    headers |= {name.replace("_", "-"): value for name, value in fields.items()}
    if token:
        headers["authorization"] = f"Bearer {token}"
    connection.request("POST", "/v1/validate", QUESTION, headers)
    answer = connection.getresponse()
    answer.body = answer.read()
    return answer


def said(answer):
    """The status, and who refused: gatepost's refusals are problems (RFC 9457)."""
    if answer.status < 400:
        return str(answer.status)
    who = "gatepost" if answer.getheader("content-type") == "application/problem+json" else "Envoy"
    return f"{answer.status} by {who}"


def wait_for_keys(mesh, good):
    """Both read the issuer's keys on their own schedule."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if mesh.past_envoy(good, mesh.shop) == mesh.over_tls("shop", good) == "200":
            return
        time.sleep(0.2)


def cases(mesh):
    token = mesh.issuer.token
    good = token(mesh.shop)
    wait_for_keys(mesh, good)
    now = int(time.time())
    forged = urllib.parse.quote(pem(mesh.shop))
    tls, past = mesh.over_tls, mesh.past_envoy
    # What, the right answer, the answer.
    yield "no client certificate", "no connection", tls(None, good)
    yield "a certificate of another authority", "no connection", tls("rogue", good)
    yield "no token", "401 by Envoy", tls("shop", None)
    yield "a token that nobody signed", "401 by Envoy", tls("shop", unsigned(good))
    yield "a token of another issuer", "401 by Envoy", tls("shop", token(mesh.shop, iss="https://other.example/"))
    yield "an expired token", "401 by Envoy", tls("shop", token(mesh.shop, iat=now - 900, exp=now - 600))
    yield "a token for another audience", "403 by Envoy", tls("shop", token(mesh.shop, aud="https://other.example"))
    yield "a token for another scope", "403 by Envoy", tls("shop", token(mesh.shop, scope="gatepost:validate:not"))
    yield "a token without a scope", "403 by Envoy", tls("shop", token(mesh.shop, scope=None))
    yield "a token of the shop with the certificate of another", "403 by Envoy", tls("other", good)
    claimed = tls("other", good, x_local_client_cert=forged)
    yield "the same, and a field that claims the shop's certificate", "403 by Envoy", claimed
    yield "a token that is bound to no certificate", "403 by Envoy", tls("shop", token(None))
    yield "a good token with its certificate", "200", tls("shop", good)
    yield "the same from the service, through its own sidecar", "200", mesh.through_sidecar(good)
    yield "past Envoy: no token", "401 by gatepost", past(None)
    yield "past Envoy: a bound token without a certificate", "401 by gatepost", past(good)
    yield "past Envoy: with the certificate of another", "401 by gatepost", past(good, mesh.other)
    yield "past Envoy: another scope", "403 by gatepost", past(token(mesh.shop, scope="openid"), mesh.shop)


def burst(mesh):
    """200 requests as fast as one connection takes them: gatepost limits the client, then Envoy everybody."""
    good, connection = mesh.issuer.token(mesh.shop, client_id="hasty"), mesh.connection("shop")
    admitted = by_gatepost = by_envoy = other = 0
    started = time.monotonic()
    for _ in range(200):
        answer = ask(connection, good)
        if answer.status == 200:
            admitted += 1
        elif answer.status == 429 and answer.getheader("x-refused-by") == "envoy":
            by_envoy += 1
        elif answer.status == 429 and f"q={RATE + BURST};w=60" in (answer.getheader("ratelimit-policy") or ""):
            by_gatepost += 1
        else:
            other += 1
    most = AT_ONCE + int(RATE / 60 * (time.monotonic() - started)) + 1
    yield f"a burst: admitted, of a bound of {most}", True, 0 < admitted <= most
    yield "a burst: 429 by gatepost's limit for the client", True, 0 < by_gatepost
    yield "a burst: 429 by Envoy's limit for everybody", True, 0 < by_envoy
    yield "a burst: nothing else", 0, other
    print(f"     of 200: {admitted} admitted, {by_gatepost} refused by gatepost, {by_envoy} by Envoy")


def main():
    gatepost, envoy, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    mesh = Mesh(folder, gatepost, envoy)
    wrong = 0
    try:
        for judged in (cases, burst):
            for what, expected, found in judged(mesh):
                wrong += found != expected
                right = "ok   " if found == expected else "WRONG"
                print(f"{right} {what}: {found}" + ("" if found == expected else f", not {expected}"), flush=True)
    finally:
        mesh.stop()
    if wrong:
        sys.exit(f"{wrong} of the answers are wrong")


main()
