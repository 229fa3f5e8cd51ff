"""Python's asyncssh, told what to do by one object of JSON on its standard input; what came of it is one on its output.

The order has "login" (port, user, known_hosts, and one of key with perhaps certificate, agent, password) and "do":

run       command, stdin (base64), env (an object), pty:
          exit, signal, stdout, stderr, stdout_bytes, stdout_sha256
channels  command, count: so many channels at once, each running the command until its input ends:
          opened, ended_well, errors
sftp      local, remote, back: puts the file, gets it again:
          put_sha256, got_sha256, names (of the remote file's directory)
many      orders (a list like these, without "login"), all at once on the same connection: results

A failure is "error", the name of the exception, and "message".
"""

import asyncio
import base64
import hashlib
import json
import os
import sys

import asyncssh


def options(login):
    found = {
        "port": login["port"],
        "username": login["user"],
        "known_hosts": login["known_hosts"],
        "config": None,
        "agent_path": login["agent"],
        "client_keys": None,
        "password": login["password"],
    }
    if login["key"]:
        key = login["key"]
        found["client_keys"] = [(key, login["certificate"])] if login["certificate"] else [key]
    return found


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def run(connection, order):
    ran = await connection.run(
        order["command"],
        input=base64.b64decode(order.get("stdin", "")),
        env=order.get("env", {}),
        term_type="xterm" if order.get("pty") else None,
        encoding=None,
    )
    return {
        "exit": ran.exit_status,
        "signal": ran.exit_signal[0] if ran.exit_signal else None,
        "stdout": ran.stdout.decode(errors="replace"),
        "stderr": ran.stderr.decode(errors="replace"),
        "stdout_bytes": len(ran.stdout),
        "stdout_sha256": hashlib.sha256(ran.stdout).hexdigest(),
    }


async def channels(connection, order):
    tries = [connection.create_process(order["command"]) for _ in range(order["count"])]
    tried = await asyncio.gather(*tries, return_exceptions=True)
    opened = [process for process in tried if not isinstance(process, Exception)]
    for process in opened:
        process.stdin.write_eof()
    ended = await asyncio.gather(*[process.wait() for process in opened])
    return {
        "opened": len(opened),
        "ended_well": sum(process.exit_status == 0 for process in ended),
        "errors": sorted({f"{type(e).__name__}: {e}" for e in tried if isinstance(e, Exception)}),
    }


async def sftp(connection, order):
    async with connection.start_sftp_client() as client:
        await client.put(order["local"], order["remote"])
        await client.get(order["remote"], order["back"])
        names = await client.listdir(os.path.dirname(order["remote"]) or ".")
        if "link" in order:
            await client.symlink(order["remote"], order["link"])
    return {
        "put_sha256": digest(order["local"]),
        "got_sha256": digest(order["back"]),
        "names": sorted(names),
    }


async def many(connection, order):
    return {"results": await asyncio.gather(*[attempt(connection, one) for one in order["orders"]])}


async def attempt(connection, order):
    try:
        return await {"run": run, "channels": channels, "sftp": sftp, "many": many}[order["do"]](connection, order)
    except (asyncssh.Error, OSError) as error:
        return {"error": type(error).__name__, "message": str(error)}


async def main(order):
    try:
        async with asyncssh.connect("127.0.0.1", **options(order["login"])) as connection:
            return await attempt(connection, order)
    except (asyncssh.Error, OSError) as error:
        return {"error": type(error).__name__, "message": str(error)}


print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
