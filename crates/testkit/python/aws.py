"""What the tests have of AWS: moto's Secrets Manager, STS and IAM, AWS's own library (botocore) as the oracle of every
signature, and what stands before them on AWS's machines: the metadata service of an instance, the credentials of a
container, and the door of RDS.

One line of JSON in, one line of JSON out, until the input ends.
"""

import contextlib
import datetime
import functools
import json
import logging
import os
import secrets
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import botocore.auth
import botocore.credentials
import botocore.session
import botocore.utils
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

logging.getLogger("werkzeug").setLevel(logging.ERROR)
REGION = "eu-central-1"
READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*",
            }
        ],
    }
)


@functools.cache
def moto():
    """It takes longer to load than all else, and not every test needs it."""
    from moto import settings
    from moto.moto_server import werkzeug_app

    app = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    return app, settings


class Aws:
    def __init__(self):
        self.server = make_server("127.0.0.1", 0, self, True)
        self.port = self.server.server_address[1]
        self.faults, self.asked, self.sessions = [], [], set()
        self.platform, self.checks = None, False
        self.one_by_one = threading.Lock()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __call__(self, environ, start_response):
        request = Request(environ)
        # Set-up and oracle speak through botocore; only what others ask is counted and troubled.
        ours = "botocore" in request.headers.get("user-agent", "").lower()
        if request.path.startswith(("/latest/", "/container")):
            return self.on_machine(request)(environ, start_response)
        if not ours:
            target = request.headers.get("x-amz-target", "")
            self.asked.append(target.rpartition(".")[2] or "form")
            while self.faults:
                fault = self.faults[0]
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.faults.pop(0)
                if fault.get("hang"):
                    time.sleep(fault["hang"])
                    break
                headers = fault.get("headers", {})
                headers.setdefault("content-type", "application/x-amz-json-1.1")
                answer = Response(fault["body"], fault["status"], headers)
                return answer(environ, start_response)
        # STS is asked for a role by whoever has no key yet.
        checked = self.checks and not ours and self.asked[-1] != "form"
        app, settings = moto()
        with self.one_by_one:
            settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if checked else float("inf")
            return app(environ, start_response)

    def on_machine(self, request):
        """The metadata service, version 2 alone, and the endpoint of a container."""
        given = self.platform
        if given is None:
            return Response("", 404)
        self.asked.append(f"{request.method} {request.path}")
        document = json.dumps({k: v for k, v in given.items() if k[0].isupper()})
        if request.path == "/container":
            good = request.headers.get("authorization") == given["authorization"]
            return Response(document, 200) if good else Response('{"code":"Denied"}', 403)
        if request.path == "/latest/api/token":
            lasts = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if request.method != "PUT" or not lasts.isdigit():
                return Response("", 400)
            token = secrets.token_urlsafe(32)
            self.sessions.add(token)
            return Response(token, 200, {"x-aws-ec2-metadata-token-ttl-seconds": lasts})
        if request.headers.get("x-aws-ec2-metadata-token") not in self.sessions:
            return Response("", 401)
        below = request.path.removeprefix("/latest/meta-data/iam/security-credentials/")
        if below == "":
            return Response(given["role"], 200)
        return Response(document if below == given["role"] else "", 200)


aws = Aws()
ADDRESS = f"http://127.0.0.1:{aws.port}"


# One for all: what it has read of AWS's models it keeps.
SESSION = botocore.session.Session()


def client(service, region=REGION, endpoint=ADDRESS, keys=("testing", "testing", None)):
    return SESSION.create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2],
    )


@contextlib.contextmanager
def at(seconds):
    """The clock of signatures, stopped."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    before = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *_, **__: moment.replace(tzinfo=None)
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = before


def rds_login(order):
    keys = (order["id"], order["secret"], order.get("token"))
    rds = client("rds", region=order["region"], keys=keys)
    with at(order["at"]):
        return rds.generate_db_auth_token(
            DBHostname=order["host"], Port=order["port"], DBUsername=order["user"]
        )


class Door:
    """Logs in at PostgreSQL as RDS does: asks for a password in clear, over TLS, and takes the one that AWS's own library
    makes of the same keys, for this server, this user and a moment that is not long ago. The server behind trusts it, on
    its socket."""

    def __init__(self, order):
        self.order, self.seen = order, []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(order["certificate"], order["key"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            plain, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError, ValueError, struct.error):
            if exactly(plain, 8) != struct.pack("!ii", 8, 80877103):
                return plain.close()
            plain.sendall(b"S")
            caller = self.tls.wrap_socket(plain, server_side=True)
            length = exactly(caller, 4)
            packet = length + exactly(caller, struct.unpack("!i", length)[0] - 4)
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(self.order["behind"])
            if struct.unpack("!i", packet[4:8])[0] != 80877102:
                words = packet[8:].split(b"\0")
                user = dict(zip(words[::2], words[1::2]))[b"user"].decode()
                caller.sendall(b"R" + struct.pack("!ii", 8, 3))
                kind, length = exactly(caller, 1), exactly(caller, 4)
                said = exactly(caller, struct.unpack("!i", length)[0] - 4)
                if kind != b"p" or not self.takes(said.rstrip(b"\0").decode(), user):
                    fields = f"SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user \"{user}\"\0\0"
                    caller.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields.encode())
                    return caller.close()
            behind.sendall(packet)
            while True:
                ready = [caller] if caller.pending() else select.select([caller, behind], [], [])[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        behind.close()
                        return caller.close()
                    (behind if one is caller else caller).sendall(data)

    def takes(self, said, user):
        query = urllib.parse.parse_qs(said.partition("?")[2])
        when = query.get("X-Amz-Date", ["19700101T000000Z"])[0]
        when = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ")
        when = when.replace(tzinfo=datetime.timezone.utc).timestamp()
        wanted = rds_login(
            self.order["keys"]
            | {"host": "127.0.0.1", "port": self.port, "user": user, "at": when}
        )
        good = said == wanted and abs(time.time() - when) <= 900
        self.seen.append({"good": good, "at": when, "user": user, "bytes": len(said)})
        return good


def exactly(stream, n):
    data = b""
    while len(data) < n:
        more = stream.recv(n - len(data))
        if not more:
            raise OSError("it ended")
        data += more
    return data


class Orders:
    doors = []

    def start(self, _):
        return {"address": ADDRESS}

    def tls(self, order):
        """The same services behind a certificate."""
        pair = (order["certificate"], order["key"])
        server = make_server("127.0.0.1", 0, aws, True, ssl_context=pair)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return {"address": f"https://127.0.0.1:{server.server_address[1]}"}

    def secret(self, order):
        """Makes a secret, or gives it another value."""
        secretsmanager = client("secretsmanager")
        kept = {k: order[k] for k in ("SecretString", "SecretBinary") if k in order}
        try:
            made = secretsmanager.create_secret(Name=order["name"], **kept)
        except secretsmanager.exceptions.ResourceExistsException:
            made = secretsmanager.put_secret_value(SecretId=order["name"], **kept)
        return {"arn": made["ARN"]}

    def stage(self, order):
        """Gives a secret a value that is not in force: what rotation tries out."""
        client("secretsmanager").put_secret_value(
            SecretId=order["name"],
            SecretString=order["SecretString"],
            VersionStages=["AWSPENDING"],
        )

    def delete(self, order):
        client("secretsmanager").delete_secret(SecretId=order["name"])

    def user(self, order):
        """Somebody with an access key, who may read secrets, or nothing."""
        iam = client("iam")
        iam.create_user(UserName=order["name"])
        if order["reads"]:
            iam.put_user_policy(UserName=order["name"], PolicyName="read", PolicyDocument=READ)
        key = iam.create_access_key(UserName=order["name"])["AccessKey"]
        return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}

    def role(self, order):
        iam = client("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = iam.create_role(RoleName=order["name"], AssumeRolePolicyDocument=trust)["Role"]
        iam.put_role_policy(RoleName=order["name"], PolicyName="read", PolicyDocument=READ)
        return {"arn": role["Arn"]}

    def check(self, order):
        """Whether moto checks the signatures and the rights of others than ourselves."""
        aws.checks = order["on"]

    def fault(self, order):
        aws.faults.append({"times": 1} | order)

    def asked(self, _):
        asked, aws.asked = aws.asked, []
        return {"asked": asked}

    def platform(self, order):
        aws.platform = order["given"]

    def platform_as_botocore_has_it(self, _):
        """That what stands in for the platforms is one to AWS's own library."""
        instance = botocore.utils.InstanceMetadataFetcher(base_url=ADDRESS + "/", env={}).retrieve_iam_role_credentials()
        container = botocore.utils.ContainerMetadataFetcher().retrieve_full_uri(
            f"{ADDRESS}/container", {"Authorization": aws.platform["authorization"]}
        )
        return {"instance": instance, "container": container}

    def rds_logins(self, order):
        return {"logins": [rds_login(one) for one in order["of"]]}

    def headers(self, order):
        """The headers that botocore signs a request of Secrets Manager with."""
        keys = (order["id"], order["secret"], order.get("token"))
        request = botocore.awsrequest.AWSRequest(
            "POST", order["url"], data=order["body"].encode(), headers=order["headers"]
        )
        with at(order["at"]):
            signer = botocore.auth.SigV4Auth(
                botocore.credentials.Credentials(*keys), "secretsmanager", order["region"]
            )
            signer.add_auth(request)
        return {"headers": dict(request.headers)}

    def addresses(self, _):
        """Where AWS answers, in a few regions of each of its partitions."""
        said = {}
        for partition in SESSION.get_available_partitions():
            regions = SESSION.get_available_regions("ec2", partition)
            for region in {regions[0], regions[-1]}:
                said[region] = {
                    service: client(service, region, endpoint=None).meta.endpoint_url
                    for service in ("secretsmanager", "sts")
                }
        return said

    def door(self, order):
        self.doors.append(Door(order))
        return {"door": len(self.doors) - 1, "port": self.doors[-1].port}

    def door_saw(self, order):
        return {"seen": self.doors[order["door"]].seen}

    def door_keys(self, order):
        """The keys of those who may come in change."""
        self.doors[order["door"]].order["keys"] = order["keys"]


orders = Orders()
for line in sys.stdin:
    order = json.loads(line)
    try:
        said = getattr(orders, order.pop("do"))(order) or {}
    except Exception as error:
        said = {"error": repr(error)}
    print(json.dumps(said), flush=True)
