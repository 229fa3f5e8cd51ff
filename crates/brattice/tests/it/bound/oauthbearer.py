# Logs in by OAUTHBEARER (RFC 7628) over TLS, byte by byte: says "in", or what the other side said.
import json, socket, ssl, struct, sys

asked = json.load(sys.stdin)
plain = socket.create_connection(("127.0.0.1", asked["port"]), timeout=20)
plain.sendall(struct.pack("!ii", 8, 80877103))
assert plain.recv(1) == b"S"
context = ssl.create_default_context(cafile=asked["ca"])
if asked.get("cert"):
    context.load_cert_chain(asked["cert"], asked["key"])
wire = context.wrap_socket(plain, server_hostname="localhost")


def message():
    head = b""
    while len(head) < 5:
        head += wire.recv(5 - len(head)) or sys.exit("closed")
    body, length = b"", struct.unpack("!i", head[1:])[0] - 4
    while len(body) < length:
        body += wire.recv(length - len(body)) or sys.exit("closed")
    return head[:1], body


def send(tag, body):
    wire.sendall(tag + struct.pack("!i", len(body) + 4) + body)


start = struct.pack("!i", 196608) + b"user\0oauth\0database\0shop/app\0\0"
wire.sendall(struct.pack("!i", len(start) + 4) + start)
first = f"n,,\x01auth=Bearer {asked['token']}\x01\x01".encode()
while True:
    tag, body = message()
    if tag == b"E":
        print(body.replace(b"\0", b"\n").decode())
        break
    if tag != b"R":
        continue
    code = struct.unpack("!i", body[:4])[0]
    if code == 10:
        assert b"OAUTHBEARER" in body
        send(b"p", b"OAUTHBEARER\0" + struct.pack("!i", len(first)) + first)
    elif code == 11:
        # Where to get another token; the answer to that is nothing.
        send(b"p", b"\x01")
    elif code == 0:
        print("in")
        break
