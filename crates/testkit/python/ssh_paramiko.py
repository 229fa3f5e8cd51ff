"""Python's paramiko, told what to do by one object of JSON on its standard input; what came of it is one on its output.

The orders and answers are those at the top of ssh_asyncssh.py, and one more:

rekey     as run, while keys are changed every so many seconds (every): also changed, how often
"""

import base64
import hashlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import paramiko


def connect(login):
    client = paramiko.SSHClient()
    client.load_host_keys(login["known_hosts"])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key = None
    if login["key"]:
        key = paramiko.PKey.from_path(login["key"])
        if login["certificate"]:
            key.load_certificate(login["certificate"])
    if login["agent"]:
        os.environ["SSH_AUTH_SOCK"] = login["agent"]
    client.connect(
        "127.0.0.1",
        port=login["port"],
        username=login["user"],
        password=login["password"],
        pkey=key,
        allow_agent=bool(login["agent"]),
        look_for_keys=False,
        timeout=20,
    )
    return client


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def feed(channel, data):
    channel.sendall(data)
    channel.shutdown_write()


def run(client, order):
    channel = client.get_transport().open_session()
    if order.get("pty"):
        channel.get_pty("xterm")
    for name, value in order.get("env", {}).items():
        channel.set_environment_variable(name, value)
    channel.exec_command(order["command"])
    writer = threading.Thread(target=feed, args=(channel, base64.b64decode(order.get("stdin", ""))), daemon=True)
    writer.start()
    errors = []
    reader = threading.Thread(target=lambda: errors.append(channel.makefile_stderr("rb").read()), daemon=True)
    reader.start()
    out = channel.makefile("rb").read()
    reader.join()
    # It has no word for a signal: the status is then -1.
    status = channel.recv_exit_status()
    return {
        "exit": status if status >= 0 else None,
        "signal": None,
        "stdout": out.decode(errors="replace"),
        "stderr": b"".join(errors).decode(errors="replace"),
        "stdout_bytes": len(out),
        "stdout_sha256": hashlib.sha256(out).hexdigest(),
    }


def channels(client, order):
    opened, errors = [], set()
    for _ in range(order["count"]):
        try:
            channel = client.get_transport().open_session()
            channel.exec_command(order["command"])
            opened.append(channel)
        except (paramiko.SSHException, EOFError, OSError) as error:
            errors.add(f"{type(error).__name__}: {error}")
    for channel in opened:
        channel.shutdown_write()
    return {
        "opened": len(opened),
        "ended_well": sum(channel.recv_exit_status() == 0 for channel in opened),
        "errors": sorted(errors),
    }


def sftp(client, order):
    with client.open_sftp() as files:
        files.put(order["local"], order["remote"])
        files.get(order["remote"], order["back"])
        names = files.listdir(os.path.dirname(order["remote"]) or ".")
        if "link" in order:
            files.symlink(order["remote"], order["link"])
    return {
        "put_sha256": digest(order["local"]),
        "got_sha256": digest(order["back"]),
        "names": sorted([".", "..", *names]),
    }


def many(client, order):
    with ThreadPoolExecutor(len(order["orders"])) as pool:
        return {"results": list(pool.map(lambda one: attempt(client, one), order["orders"]))}


def rekey(client, order):
    done = threading.Event()
    changed = []

    def change():
        while not done.wait(order["every"]):
            client.get_transport().renegotiate_keys()
            changed.append(True)

    changing = threading.Thread(target=change, daemon=True)
    changing.start()
    told = run(client, order)
    done.set()
    changing.join()
    return {**told, "changed": len(changed)}


def attempt(client, order):
    orders = {"run": run, "channels": channels, "sftp": sftp, "many": many, "rekey": rekey}
    try:
        return orders[order["do"]](client, order)
    except (paramiko.SSHException, EOFError, OSError) as error:
        return {"error": type(error).__name__, "message": str(error)}


def main(order):
    try:
        client = connect(order["login"])
    except (paramiko.SSHException, EOFError, OSError) as error:
        return {"error": type(error).__name__, "message": str(error)}
    with client:
        return attempt(client, order)


print(json.dumps(main(json.load(sys.stdin))))
