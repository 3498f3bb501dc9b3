"""HAProxy in front of servers: its configuration, and what its log says when it fails.

The configuration language is HAProxy's own (its configuration manual, 2.2 and later).
"""

from __future__ import annotations

from collections.abc import Sequence

from ftctl.servers.fault import Fault

TITLE = "HAProxy"
FAULTS: tuple[Fault, ...] = (
    Fault(
        r"cannot bind socket \(([^)]*)\).*\[([^\]]+)\]",
        "it cannot listen on {2}: {1}",
        "set another deploy.port",
        may_pass=True,
    ),
    Fault(r"(unable to load (?:SSL )?certificate.*)", "{1}", "see deploy.tls"),
)
PHASES: tuple[tuple[str, str], ...] = ()
SLOTS = 32  # servers that it has room for: twice the most replicas, for the old stay while the new take over
NOWHERE = 1  # the port of a slot that no server has
BACKEND, SOCKET, CONFIG, CERTIFICATE = "servers", "admin.sock", "haproxy.cfg", "proxy.pem"

# A connection to the server for each request: vLLM closes idle ones after 5 s, and a request that is sent
# on one just then is lost. Clients' own connections stay open.
TEXT = """# Written by ftctl each time that HAProxy is started.
global
    stats socket unix@{socket} mode 600 level admin
    nbthread 2
    maxconn {connections}
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout http-request 60s
    timeout http-keep-alive 1h
    timeout client 1h
    timeout server 1h
    timeout queue 60s
    timeout check 10s
    retries 3
    option redispatch
    option http-server-close
    http-reuse never
    option http-no-delay
    option abortonclose
    http-error status 503 content-type application/json string '{{"error": {{"message": "no server of this \
deployment answers now", "type": "ServiceUnavailable", "code": 503}}}}'
frontend address
    bind {bind}{tls}
    default_backend {backend}
backend {backend}
    balance leastconn
    option httpchk
    http-check send meth GET uri /health
    default-server check inter 2s fastinter 500ms fall 3 rise 1
{servers}
"""


def config(binds: str, ports: Sequence[int], *, connections: int, tls: bool) -> str:
    """HAProxy's configuration: it listens at `binds` (host:port) for servers at these loopback ports.

    Its admin socket and certificate are in its working directory; nothing of its own answers at `binds`.
    """
    slots = [f"    server s{number} 127.0.0.1:{port}" for number, port in enumerate(ports, 1)]
    slots += [
        f"    server s{number} 127.0.0.1:{NOWHERE} disabled" for number in range(len(ports) + 1, SLOTS + 1)
    ]
    return TEXT.format(
        socket=SOCKET,
        connections=connections,
        bind=binds,
        tls=f" ssl crt {CERTIFICATE} alpn http/1.1" if tls else "",
        backend=BACKEND,
        servers="\n".join(slots),
    )
