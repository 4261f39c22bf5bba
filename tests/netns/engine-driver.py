#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the service for nm-ovpn-engine and nm-ovpn-helper, against a real openvpn server: two network namespaces joined
by a veth pair, no NetworkManager. For looking at the engine alone; the scenarios next to it test the whole.

  engine-driver.py BUILD [case ...]     as root; keys are made by tests/keys/make"""
import array, ctypes, json, os, re, select, shutil, socket, struct, subprocess, sys, tempfile, time

T = dict(OPTIONS=1, FILE=2, START=3, LINK=4, ANSWER=5, TUN=6, CLOSE=7, GET_STATS=8, READY=32, STATE=33,
         NEED=34, PUSHED=35, UP=36, FAILED=37, LOG=38, STATS=39, CLOSED=40, CHOSEN=42)
NAME = {v: k for k, v in T.items()}
FILES = dict(ca=0, cert=1, key=2, pkcs12=4, tls_auth=5, tls_crypt=6, tls_crypt_v2=7)
STATS = ("link_rx_bytes link_tx_bytes link_rx_packets link_tx_packets tun_rx_bytes tun_tx_bytes tun_rx_packets "
         "tun_tx_packets drops_auth drops_replay drops_other drops_tun drops_link wakeups "
         "tun_rx_calls tun_tx_calls link_tx_calls link_rx_calls fallbacks "
         "drops_key drops_format drops_down drops_back drops_ipv6 drops_queue drops_room").split()
HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "../../helper/core/ipc.h")) as _f:
    LOG_CODES = re.findall(r"X\((\w+)\)", re.search(r"#define OVPN_LOG_LIST\(X\)(.*?)typedef", _f.read(), re.S).group(1))
VERBOSE = bool(os.environ.get("VERBOSE"))


def s16(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack(">H", len(b)) + b


def start_program(path, preload=None):
    """A program with a socket as descriptor 3. preload: (library, value of OLD_KERNEL)"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = dict(os.environ, **({"LD_PRELOAD": preload[0], "OLD_KERNEL": preload[1]} if preload else {}))
    proc = subprocess.Popen([path], preexec_fn=lambda: os.dup2(theirs.fileno(), 3), close_fds=False, env=env)
    theirs.close()
    return ours, proc


class Request(ctypes.Structure):
    """OvpnBrokerRequest of helper/core/ipc.h, as far as it is used here"""
    class Any(ctypes.Union):
        class Tun(ctypes.Structure):
            _fields_ = [("tap", ctypes.c_uint8), ("vnet_hdr", ctypes.c_uint8), ("name", ctypes.c_char * 16)]
        class Link(ctypes.Structure):
            _fields_ = [("tcp", ctypes.c_uint8), ("has_local", ctypes.c_uint8), ("pmtu_disc", ctypes.c_uint8),
                        ("mode", ctypes.c_uint8), ("v6only", ctypes.c_uint8),
                        ("mark", ctypes.c_uint32), ("sndbuf", ctypes.c_uint32), ("rcvbuf", ctypes.c_uint32),
                        ("remote", ctypes.c_uint64 * 16), ("local", ctypes.c_uint64 * 16), ("bind_dev", ctypes.c_char * 16)]
        class File(ctypes.Structure):
            _fields_ = [("path", ctypes.c_char * 4096), ("owner", ctypes.c_char * 64), ("directory", ctypes.c_uint8)]
        _fields_ = [("tun", Tun), ("link", Link), ("file", File)]
    _fields_ = [("version", ctypes.c_uint32), ("op", ctypes.c_uint32), ("serial", ctypes.c_uint32), ("any", Any)]


class Helper:
    def __init__(self, path, preload=None):
        self.sock, self.proc = start_program(path, preload)

    def ask(self, q):
        """-> descriptor, vnet_hdr flags"""
        q.version, q.serial = 1, 1
        self.sock.send(bytes(q))
        reply, anc, _, _ = self.sock.recvmsg(256, socket.CMSG_SPACE(4))
        error, vnet_hdr = struct.unpack_from("i", reply, 12)[0], reply[36]
        assert error == 0, os.strerror(error)
        return struct.unpack("i", anc[0][2])[0], vnet_hdr

    def tun(self, name, tap=False):
        q = Request(op=1)
        q.any.tun.tap, q.any.tun.vnet_hdr, q.any.tun.name = tap, 1, name.encode()
        return self.ask(q)

    def link(self, proto, addr, port=1194):
        q = Request(op=2)
        q.any.link.tcp = proto == "tcp"
        raw = (struct.pack("=HHIQQI4x", socket.AF_INET6, socket.htons(port), 0, *struct.unpack("=QQ", socket.inet_pton(
            socket.AF_INET6, addr)), 0) if ":" in addr else
               struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(addr)))
        ctypes.memmove(q.any.link.remote, raw, len(raw))
        return self.ask(q)[0]

    def stop(self):
        self.sock.close()
        return self.proc.wait(5)


class Engine:
    def __init__(self, path, preload=None):
        self.sock, self.proc = start_program(path, preload)
        self.log, self.coded = [], []

    def send(self, name, body=b"", fd=None):
        msg = struct.pack(">HHI", T[name], 1, len(body)) + body
        anc = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.sock.sendmsg([msg], anc)

    def options(self, lines):
        body = b""
        for l in lines:
            words = l.split()
            body += struct.pack(">IHBB", 0, 0, 0, len(words)) + b"".join(s16(w) for w in words) + s16(b"")
        self.send("OPTIONS", struct.pack(">H", len(lines)) + body)

    def file(self, name, path):
        fd = os.open(path, os.O_RDONLY)
        self.send("FILE", bytes([FILES[name]]), fd)
        os.close(fd)

    def answer(self, need, a="", b=""):
        self.send("ANSWER", bytes([need]) + s16(a) + s16(b))

    def recv(self, timeout=10):
        """-> (name, value) of the next message that is no LOG; None at the end or after the time-out"""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return ("TIMEOUT", None)
            try:
                m = self.sock.recv(65536)
            except ConnectionResetError:
                m = b""
            if not m:
                return ("EOF", self.proc.wait(5))
            t, v, n = struct.unpack(">HHI", m[:8])
            b, name = m[8:], NAME[t]
            assert n == len(b) and v == 1
            val = b
            if name == "STATE":
                val = b[0]
            elif name == "FAILED":
                val = (*struct.unpack(">HI", b[:6]), b[8:-3].decode())
            elif name == "NEED":
                val = (b[0], b[1], b[6:].decode())
            elif name == "UP":
                val = (b[2:-2].decode(), struct.unpack(">H", b[-2:])[0])
            elif name == "STATS":
                val = dict(zip(STATS, struct.unpack(">%dQ" % len(STATS), b)))
            elif name == "PUSHED":
                val = (b[0], parse_options(b[1:]))
            if VERBOSE:
                print("   ", name, b[5:].decode() if name == "LOG" else val, flush=True)
            if name == "LOG":
                self.log.append(b[5:].decode())
                self.coded.append((struct.unpack(">H", b[1:3])[0], b[5:].decode()))
                continue
            return name, val

    def expect(self, *names, timeout=10):
        while True:
            name, val = self.recv(timeout)
            if name in names:
                return name, val
            if name in ("TIMEOUT", "EOF", "FAILED", "NEED"):
                raise AssertionError(f"waited for {names}, got {name} {val}; log {self.log[-5:]}")

    def log_of(self, name):
        return [text for c, text in self.coded if LOG_CODES[c] == name]

    def stats(self):
        self.send("GET_STATS")
        return self.expect("STATS")[1]

    def stop(self):
        self.sock.close()
        return self.proc.wait(5)


def parse_options(b):
    n, b, out = struct.unpack(">H", b[:2])[0], b[2:], []
    for _ in range(n):
        argc, b, words = b[7], b[8:], []
        for _ in range(argc):
            l = struct.unpack(">H", b[:2])[0]
            words.append(b[2:2 + l].decode())
            b = b[2 + l:]
        l = struct.unpack(">H", b[:2])[0]
        b = b[2 + l:]
        out.append(words)
    return out


def sh(cmd, **kw):
    return subprocess.run(cmd, shell=True, check=kw.pop("check", True), capture_output=True, text=True, **kw)


def in_ns(ns, func):
    """Runs func with this process's network namespace changed for its duration."""
    back, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{ns}", os.O_RDONLY)
    libc = ctypes.CDLL(None)
    assert libc.setns(there, 0x40000000) == 0
    try:
        return func()
    finally:
        libc.setns(back, 0x40000000)
        os.close(back), os.close(there)


class Lab:
    def __init__(self, build):
        self.build, self.tmp, self.preload = build, tempfile.mkdtemp(prefix="ovpn-engine-"), None
        self.engine_path = f"{build}/helper/engine/nm-ovpn-engine"
        self.helper = None
        os.chmod(self.tmp, 0o755)
        self.c, self.s = f"ec{os.getpid()}", f"es{os.getpid()}"
        self.server = self.tun = None
        sh(f"sh {HERE}/../keys/make {self.tmp}/keys")
        sh(f"openvpn --genkey secret {self.tmp}/ta.key")
        for ns in (self.c, self.s):
            sh(f"ip netns add {ns} && ip -n {ns} link set lo up")
        sh(f"ip -n {self.c} link add v0 type veth peer name v0 netns {self.s}")
        for ns, last in ((self.c, 2), (self.s, 1)):
            sh(f"ip -n {ns} addr add 192.0.2.{last}/24 dev v0 && ip -n {ns} addr add 2001:db8::{last}/64 dev v0 nodad && "
               f"ip -n {ns} link set v0 up")

    def close(self):
        self.stop_server()
        self.drop_tun()
        if self.helper:
            self.helper.stop()
        for ns in (self.c, self.s):
            sh(f"ip netns del {ns}", check=False)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def stop_server(self, sig=15):
        if self.server:
            self.server.send_signal(sig)
            self.server.wait(5)
            self.server = None

    def start_server(self, extra="", proto="udp", ca="ca", cert="server"):
        k = f"{self.tmp}/keys"
        conf = f"""proto {proto}-server\n""" if proto.startswith("tcp") else f"proto {proto}\n"
        conf += f"""dev tunS
server 10.77.0.0 255.255.255.0
topology subnet
ca {k}/{ca}.crt
cert {k}/{cert}.crt
key {k}/{cert}.key
dh none
keepalive 10 60
verb 4
port 1194
{extra}
"""
        path = f"{self.tmp}/server.conf"
        open(path, "w").write(conf)
        self.server_log = f"{self.tmp}/server.log"
        log = open(self.server_log, "w")
        self.server = subprocess.Popen(["ip", "netns", "exec", self.s, "openvpn", "--config", path], stdout=log, stderr=log,
                                       cwd=self.tmp)
        for _ in range(100):
            if "Initialization Sequence Completed" in open(self.server_log).read():
                return
            time.sleep(0.05)
        raise AssertionError(open(self.server_log).read())

    def engine(self, lines, files=None, passphrase=None, user=None):
        k = f"{self.tmp}/keys"
        e = Engine(self.engine_path, self.preload)
        if self.helper:
            self.helper.stop()
        self.helper = in_ns(self.c, lambda: Helper(f"{self.build}/helper/broker/nm-ovpn-helper", self.preload))
        files = files or dict(ca="{k}/ca.crt", cert="{k}/client.crt", key="{k}/client.key")
        e.options(["client", "dev tun", "remote 192.0.2.1 1194", "nobind"] +
                  [f"{name.replace('_', '-')} {name}.pem" for name in files] + lines)
        for name, path in files.items():
            e.file(name, path.format(t=self.tmp, k=k))
        if user:
            e.answer(1, *user)
        e.send("START")
        return e

    def link(self, e, proto="udp", addr="192.0.2.1"):
        fd = self.helper.link(proto, addr)
        e.send("LINK", struct.pack(">BBHBHHHBBBH", proto == "tcp", 6 if ":" in addr else 4, 0, 0, 0, 0, 1, 0, 0, 0, 0), fd)
        os.close(fd)

    def give_tun(self, e, pushed, tap=False):
        if self.tun is None:
            self.tun, self.vnet_hdr = self.helper.tun("tunC", tap)
            addr = next(o[1] for o in pushed if o[0] == "ifconfig")
            sh(f"ip -n {self.c} addr add {addr}/24 dev tunC && ip -n {self.c} link set tunC up mtu 1500")
        e.send("TUN", struct.pack(">BBH", tap, self.vnet_hdr, 1500), self.tun)

    def drop_tun(self):
        if self.tun is not None:
            os.close(self.tun)
            self.tun = None

    def bring_up(self, e, timeout=10, **kw):
        pushed = []
        while True:
            name, val = e.expect("PUSHED", timeout=timeout)
            pushed += val[1]
            if val[0]:
                break
        self.give_tun(e, pushed, **kw)
        return e.expect("UP")[1], pushed

    def ping(self, n=20, size=56, interval=0.005):
        out = sh(f"ip netns exec {self.c} ping -c {n} -i {interval} -W 1 -s {size} 10.77.0.1", check=False).stdout
        m = re.search(r"(\d+) received", out)
        got = int(m.group(1)) if m else 0
        assert got == n, f"{got} of {n} pings came back\n{out}"


def connect(lab, lines=(), proto="udp", addr="192.0.2.1", **kw):
    e = lab.engine(list(lines) + [f"proto {proto}"], **kw)
    e.expect("READY")
    lab.link(e, proto, addr)
    return e, *lab.bring_up(e)


def close(lab, e):
    e.send("CLOSE")
    e.expect("CLOSED")
    assert e.recv() == ("EOF", 0)
    lab.drop_tun()


CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


@case
def udp(lab):
    lab.start_server()
    t = time.monotonic()
    e, up, pushed = connect(lab)
    print(f"   up after {(time.monotonic() - t) * 1000:.0f} ms, {up}")
    lab.ping(), lab.ping(size=1400), lab.ping(size=8000, n=5)
    s = e.stats()
    assert s["tun_rx_packets"] >= 70 and s["drops_auth"] == 0 and s["drops_replay"] == 0, s
    close(lab, e)


@case
def udp6_tls_crypt(lab):
    lab.start_server(f"tls-crypt {lab.tmp}/ta.key", proto="udp6")
    k = dict(ca="{k}/ca.crt", cert="{k}/client.crt", key="{k}/client.key", tls_crypt="{t}/ta.key")
    e, up, _ = connect(lab, addr="2001:db8::1", files=k)
    lab.ping()
    close(lab, e)


@case
def tcp(lab):
    lab.start_server("socket-flags TCP_NODELAY", proto="tcp")
    e, up, _ = connect(lab, proto="tcp")
    lab.ping(), lab.ping(size=8000, n=5)
    close(lab, e)


@case
def cbc(lab):
    lab.start_server("data-ciphers AES-256-CBC\nauth SHA256")
    e, up, _ = connect(lab, ["data-ciphers AES-256-CBC", "auth SHA256", "cipher AES-256-CBC"])
    assert up[0] == "AES-256-CBC", up
    lab.ping(), lab.ping(size=1400)
    close(lab, e)


@case
def lzo_framing(lab):
    lab.start_server("comp-lzo no\nallow-compression yes")
    e, up, _ = connect(lab, ["comp-lzo no"])
    lab.ping(), lab.ping(size=1400)
    close(lab, e)


@case
def renegotiation(lab):
    lab.start_server("reneg-sec 4")
    e, up, _ = connect(lab, ["reneg-sec 0"])
    lab.ping(n=900, interval=0.01)
    assert e.stats()["drops_auth"] == 0
    assert open(lab.server_log).read().count("VERIFY OK") >= 4, "no renegotiation"
    close(lab, e)


@case
def server_restart(lab):
    lab.start_server("explicit-exit-notify 1")
    e, up, _ = connect(lab)
    lab.ping(n=5)
    lab.stop_server()
    name, val = e.expect("FAILED")
    print("   ", val)
    lab.start_server()
    lab.link(e)
    lab.bring_up(e)
    lab.ping(n=5)
    close(lab, e)


@case
def nobody_there(lab):
    e = lab.engine(["proto udp", "connect-timeout 3", "hand-window 3"])
    e.expect("READY")
    lab.link(e)
    name, val = e.expect("FAILED", timeout=20)
    print("   ", val)
    assert val[1] == 1 and val[2] == "connection refused", val
    assert e.stop() == 0


@case
def tcp_closed_by_server(lab):
    lab.start_server("socket-flags TCP_NODELAY", proto="tcp")
    e, up, _ = connect(lab, proto="tcp")
    lab.stop_server(9)
    name, val = e.expect("FAILED")
    print("   ", val)
    lab.drop_tun()
    assert e.stop() == 0


@case
def password(lab):
    open(f"{lab.tmp}/verify", "w").write('#!/bin/sh\ntest "$(head -1 $1)" = joe && test "$(tail -1 $1)" = right\n')
    os.chmod(f"{lab.tmp}/verify", 0o755)
    lab.start_server(f"auth-user-pass-verify {lab.tmp}/verify via-file\nscript-security 2")
    e = lab.engine(["auth-user-pass"])
    e.expect("READY")
    lab.link(e)
    name, val = e.expect("NEED")
    assert val[0] == 1 and val[1] == 0
    e.answer(1, "joe", "wrong")
    name, val = e.expect("FAILED")
    print("   ", val)
    lab.link(e)
    name, val = e.expect("NEED")
    assert val[1] & 2
    e.answer(1, "joe", "right")
    lab.bring_up(e)
    lab.ping(n=5)
    close(lab, e)


@case
def passphrase(lab):
    k = f"{lab.tmp}/keys"
    sh(f"openssl pkcs8 -topk8 -in {k}/client.key -out {k}/client-enc.key -passout pass:secret")
    lab.start_server()
    e = lab.engine([], files=dict(ca="{k}/ca.crt", cert="{k}/client.crt", key="{k}/client-enc.key"))
    assert e.expect("NEED")[1][:2] == (2, 0)
    e.answer(2, "", "no")
    assert e.expect("NEED")[1][:2] == (2, 2)
    e.answer(2, "", "secret")
    e.expect("READY")
    lab.link(e)
    lab.bring_up(e)
    lab.ping(n=5)
    close(lab, e)


@case
def wrong_ca(lab):
    lab.start_server()
    other = next(f for f in sorted(os.listdir(f"{lab.tmp}/keys")) if f.startswith("other") and f.endswith(".crt"))
    e = lab.engine([], files=dict(ca="{k}/" + other, cert="{k}/client.crt", key="{k}/client.key"))
    e.expect("READY")
    lab.link(e)
    print("   ", e.expect("FAILED")[1])
    assert e.stop() == 0


@case
def throughput(lab):
    lab.start_server()
    e, up, _ = connect(lab)
    srv = subprocess.Popen(["ip", "netns", "exec", lab.s, "iperf3", "-s", "-1", "-B", "10.77.0.1"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    out = sh(f"ip netns exec {lab.c} iperf3 -c 10.77.0.1 -t 2").stdout
    print("   ", [l for l in out.splitlines() if "sender" in l][0])
    srv.wait(5)
    srv = subprocess.Popen(["ip", "netns", "exec", lab.s, "iperf3", "-s", "-1", "-B", "10.77.0.1"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    out = sh(f"ip netns exec {lab.c} iperf3 -c 10.77.0.1 -t 2 -R").stdout
    print("   ", [l for l in out.splitlines() if "receiver" in l][0])
    srv.wait(5)
    print("   ", e.stats())
    rss = [l for l in open(f"/proc/{e.proc.pid}/smaps_rollup") if l.startswith(("Pss:", "Rss:"))]
    print("   ", " ".join(" ".join(l.split()) for l in rss))
    close(lab, e)


@case
def tcp_throughput(lab):
    """Back-pressure: the stream takes less than the tunnel offers."""
    lab.start_server("socket-flags TCP_NODELAY", proto="tcp")
    e, up, _ = connect(lab, proto="tcp")
    for extra in ("", "-R", "-P 4"):
        srv = subprocess.Popen(["ip", "netns", "exec", lab.s, "iperf3", "-s", "-1", "-B", "10.77.0.1"], stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        out = sh(f"ip netns exec {lab.c} iperf3 -c 10.77.0.1 -t 1 {extra}").stdout
        print("   ", [l for l in out.splitlines() if "receiver" in l][-1])
        srv.wait(5)
    s = e.stats()
    assert s["drops_auth"] == s["drops_replay"] == s["drops_other"] == 0, s
    lab.ping(n=5)
    close(lab, e)


def transfer(lab, *more, seconds=1):
    """Bytes that iperf3 received; its own checks of order and content are TCP's."""
    srv = subprocess.Popen(["ip", "netns", "exec", lab.s, "iperf3", "-s", "-1", "-B", "10.77.0.1"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    out = json.loads(sh(f"ip netns exec {lab.c} iperf3 -J -c 10.77.0.1 -t {seconds} {' '.join(more)}").stdout)
    srv.wait(5)
    return out["end"]["sum_received" if "sum_received" in out["end"] else "sum"]["bytes"]


@case
def fallbacks(lab):
    """Older kernels and paths that refuse: the programs notice, say so once, and go on without losing a packet."""
    lab.start_server("verb 1")
    for words, told in (("", []), ("no-vnet", ["vnet-hdr"]), ("no-uso", ["uso"]), ("no-tso", ["tso", "uso"]),
                        ("no-gro", ["udp-gro"]), ("no-segment", ["udp-segment"]), ("eio", ["udp-segment"]),
                        ("einval", ["udp-segment"]), ("no-super", ["merge"]),
                        ("no-vnet no-gro no-segment", ["udp-segment", "udp-gro", "vnet-hdr"])):
        lab.preload = (f"{lab.build}/tests/netns/old-kernel.so", words)
        e, up, _ = connect(lab)
        lab.ping(n=10)
        lab.ping(n=5, size=30000)
        up, down = transfer(lab), transfer(lab, "-R")
        s = e.stats()
        print(f"    {words or 'everything':27} up {up * 8e-9:.2f} down {down * 8e-9:.2f} Gbit/s; packets per TUN read "
              f"{s['tun_rx_packets'] / s['tun_rx_calls']:.1f}, write {s['tun_tx_packets'] / s['tun_tx_calls']:.1f}, message out "
              f"{s['link_tx_packets'] / s['link_tx_calls']:.1f}, in {s['link_rx_packets'] / s['link_rx_calls']:.1f}")
        lost = {k: v for k, v in s.items() if k.startswith("drops") and v and k not in ("drops_down", "drops_ipv6")}
        assert up > 5e6 and down > 5e6, (up, down)
        assert e.log_of("FALLBACK") == told, e.log_of("FALLBACK")
        assert not lost, lost
        assert s["fallbacks"] == (1 if words in ("eio", "einval", "no-super") else 0), s["fallbacks"]
        if "no-segment" in words:
            assert s["link_tx_packets"] == s["link_tx_calls"], s
        close(lab, e)
        lab.drop_tun()


@case
def device_deleted(lab):
    lab.start_server()
    e, up, _ = connect(lab)
    sh(f"ip -n {lab.c} link del tunC")
    name, val = e.expect("FAILED")
    assert val[2] == "the tunnel device is gone", val
    lab.drop_tun()
    lab.link(e)
    lab.bring_up(e)
    lab.ping(n=5)
    close(lab, e)


@case
def keys_and_versions(lab):
    sh(f"cd {lab.tmp}/keys && cat ca.crt ec-ca.crt ed-ca.crt > all.crt")
    lab.start_server("tls-version-max 1.2", cert="server-ec", ca="all")
    for files, more in ((dict(ca="{k}/all.crt", cert="{k}/client-ec.crt", key="{k}/client-ec.key"), []),
                        (dict(ca="{k}/all.crt", cert="{k}/client-ed.crt", key="{k}/client-ed.key"), []),
                        (dict(ca="{k}/all.crt", pkcs12="{k}/client-nopass.p12"), []),
                        (dict(ca="{k}/all.crt", cert="{k}/client.crt", key="{k}/client.key"), ["remote-cert-tls server"])):
        e, up, _ = connect(lab, more, files=files)
        lab.ping(n=3)
        close(lab, e)


@case
def wrong_name(lab):
    lab.start_server()
    e = lab.engine(["verify-x509-name elsewhere name"])
    e.expect("READY")
    lab.link(e)
    print("   ", e.expect("FAILED")[1])
    assert e.stop() == 0


@case
def killed_socket(lab):
    """The service vanishes: so does the engine, at once."""
    lab.start_server()
    e, up, _ = connect(lab)
    t = time.monotonic()
    assert e.stop() == 0 and time.monotonic() - t < 0.5


@case
def illegal_messages(lab):
    def ends(what, *send):
        e = Engine(lab.engine_path)
        for s in send:
            e.sock.sendmsg(*s)
        got = e.recv(5)
        while got[0] != "EOF":
            assert got[0] != "TIMEOUT", what
            got = e.recv(5)
        assert got[1] == 1, (what, got)
        e.sock.close()
    msg = lambda t, b=b"": struct.pack(">HHI", t, 1, len(b)) + b
    fd = os.open("/dev/null", os.O_RDONLY)
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    ends("short", ([b"\0"],))
    ends("unknown type", ([msg(77)],))
    ends("our own direction", ([msg(T["READY"])],))
    ends("link before start", ([msg(4, struct.pack(">BBI", 0, 4, 0))], anc))
    ends("tun before start", ([msg(6, struct.pack(">BBH", 0, 0, 1500))], anc))
    ends("file without descriptor", ([msg(2, b"\0")],))
    ends("start with descriptor", ([msg(3)], anc))
    ends("file id", ([msg(2, b"\xff")], anc))
    ends("something follows", ([msg(3, b"x")],))
    ends("answer need", ([msg(5, b"\x09\0\0\0\0")],))
    ends("too large", ([msg(1, b"\0" * 70000)],))
    ends("options cut", ([msg(1, b"\0\x01\0")],))
    os.close(fd)
    e = Engine(lab.engine_path)
    e.send("START")
    print("   ", e.recv())
    e.send("CLOSE")
    e.expect("CLOSED")
    assert e.recv() == ("EOF", 0)


@case
def sandbox(lab):
    lab.start_server()
    e, up, _ = connect(lab)
    st = dict(l.rstrip("\n").split(":\t", 1) for l in open(f"/proc/{e.proc.pid}/status") if ":\t" in l)
    assert st["Seccomp"] == "2" and st["NoNewPrivs"] == "1" and int(st["CapEff"], 16) == 0 and int(st["CapPrm"], 16) == 0, st
    fds = sorted(os.readlink(f"/proc/{e.proc.pid}/fd/{f}") for f in os.listdir(f"/proc/{e.proc.pid}/fd"))
    print("   ", fds)
    close(lab, e)


def main():
    names = sys.argv[2:] or list(CASES)
    bad = []
    for n in names:
        lab = Lab(os.path.abspath(sys.argv[1]))
        t = time.monotonic()
        try:
            CASES[n](lab)
            print(f"ok   {n} ({time.monotonic() - t:.1f} s)", flush=True)
        except Exception as x:
            bad.append(n)
            print(f"FAIL {n}: {type(x).__name__} {x}", flush=True)
            if VERBOSE and os.path.exists(f"{lab.tmp}/server.log"):
                print(open(f"{lab.tmp}/server.log").read()[-3000:])
        finally:
            lab.drop_tun()
            lab.close()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
