# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP into a bridged network: frames of all kinds pass as they are, large ones too; unicast, broadcast, multicast, ARP with a
station behind the bridge; what becomes of IPv6 there."""
import socket
import struct
import subprocess
import time

from lab import check, sh, wait_for
from links_dhcp import HOST, NET, Lan
from registry import add, scenario
from sniff import in_network

POOL = 'server-bridge %s 255.255.255.0 %s100 %s110' % (HOST, NET, NET)
OURS, THEIRS, ALL = b'\x02\x00\x5e\x00\x53\x01', b'\x02\x00\x5e\x00\x53\x02', b'\xff' * 6


class Wire:
    """A raw socket on an interface: put(), and got() after a time. Tags that the kernel took off are put back."""

    def __init__(self, namespace_of, interface):
        self.sock = namespace_of(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self.sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((interface, 3))

    def put(self, frame):
        self.sock.send(frame)

    def all(self):
        """What came in since the last time."""
        found = []
        while True:
            try:
                data, more, _, where = self.sock.recvmsg(4096, 128, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            if where[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, aux in more:
                if (level, kind) == (263, 8) and len(aux) >= 20:
                    status, = struct.unpack('I', aux[:4])
                    tci, tpid = struct.unpack('HH', aux[16:20])
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        data = data[:12] + struct.pack('>HH', tpid if status & 0x40 else 0x8100, tci) + data[12:]
            found.append(data)

    def close(self):
        self.sock.close()


def frames(me):
    """One of each kind, from a station with the MAC `me`."""
    def body(n, seed):
        return bytes((i * 7 + seed) & 255 for i in range(n))
    arp = struct.pack('>HHBBH', 1, 0x800, 6, 4, 1) + me + bytes([10, 61, 0, 77]) + b'\0' * 6 + bytes([10, 61, 0, 78])
    return {
        'ARP': ALL + me + b'\x08\x06' + arp,
        'VLAN tag': ALL + me + struct.pack('>HHH', 0x8100, 0x2000 | 7, 0x88b5) + body(100, 1),
        'ARP in a VLAN': ALL + me + struct.pack('>HHH', 0x8100, 9, 0x0806) + arp,
        'two tags': ALL + me + struct.pack('>HHHHH', 0x88a8, 5, 0x8100, 6, 0x88b5) + body(60, 2),
        'STP': b'\x01\x80\xc2\0\0\0' + me + struct.pack('>H', 38) + b'\x42\x42\x03' + body(35, 3) + b'\0' * 8,
        'unknown type': ALL + me + b'\x88\xb5' + body(46, 4),
        'LLC': ALL + me + struct.pack('>H', 50) + b'\xaa\xaa\x03' + body(47, 5),
        'multicast': b'\x01\0\x5e\x00\x00\x63' + me + b'\x88\xb5' + body(200, 6),
        'large': ALL + me + b'\x88\xb5' + body(1500, 7),
        'large with a tag': ALL + me + struct.pack('>HHH', 0x8100, 7, 0x88b5) + body(1500, 8),
        'head only': ALL + me + b'\x88\xb6',
    }


def in_client(l, f):
    """f() in the network of the client."""
    return in_network(l.client_ns, f)


def exchange(l, lan, dev):
    near, far = Wire(lambda f: in_client(l, f), dev), Wire(lambda f: in_network(lan.ns, f), 'eth0')
    try:
        for name, here, there, me in (('to', near, far, OURS), ('from', far, near, THEIRS)):
            lost = frames(me)

            def arrived():
                for kind, frame in lost.items():
                    here.put(frame)
                time.sleep(0.05)
                seen = there.all()
                for kind in [k for k, v in lost.items() if any(x.rstrip(b'\0') == v.rstrip(b'\0') for x in seen)]:
                    del lost[kind]
                return not lost
            try:
                wait_for('', arrived, 3)
            except Exception:
                check(False, '%s the far network do not pass as they are: %s' % (name, ', '.join(lost)))
    finally:
        near.close()
        far.close()


def groups(l, lan, dev):
    """A datagram to a multicast group, and ARP, from each side."""
    far, near = ['ip', 'netns', 'exec', lan.ns], l.enter()
    listen = ('import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); '
              's.bind(("239.1.2.3", 4001)); s.setsockopt(0, 35, socket.inet_aton("239.1.2.3") + '
              'socket.inet_aton("0.0.0.0") + socket.if_nametoindex(sys.argv[1]).to_bytes(4, "little")); '
              'print("ready", flush=True); print(s.recv(99).decode(), flush=True)')
    send = ('import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
            's.setsockopt(socket.SOL_SOCKET, 25, sys.argv[1].encode()); s.sendto(b"hello", ("239.1.2.3", 4001))')
    for here, there, out, into in ((far, near, dev, 'eth0'), (near, far, 'eth0', dev)):
        p = subprocess.Popen(here + ['/usr/bin/python3', '-c', listen, into], stdout=subprocess.PIPE, text=True)
        try:
            check(p.stdout.readline() == 'ready\n', 'no listener')
            sh(*there, '/usr/bin/python3', '-c', send, out)
            check(p.stdout.readline() == 'hello\n', 'a multicast was lost on its way out of ' + out)
        finally:
            p.kill()
            p.wait()
    mac = l.ip_json('link', 'show', dev)[0]['address']
    mine = l.tunnels()[dev][0][0]
    check('lladdr ' + mac in sh('ip', '-n', lan.ns, 'neigh', 'show', mine), sh('ip', '-n', lan.ns, 'neigh'))


def bridged(lines, both=()):
    def f(l):
        with Lan(l, list(both), POOL) as lan:
            with lan.up(list(lines) + list(both)):
                dev = l.device(lan.server)
                check(any(a.startswith(NET + '10') for a in l.tunnels()[dev][0]), l.tunnels())
                l.ping(lan.server, 5, size=1472)
                sh('ip', 'netns', 'exec', lan.ns, 'ping', '-n', '-q', '-c', '3', '-i', '0.05', '-W', '5', '-s', '1472',
                   '-M', 'do', l.tunnels()[dev][0][0])
                groups(l, lan, dev)
                exchange(l, lan, dev)
    return f


for _name, _lines, _both in (('', [], []), ('-fragment', ['mssfix 800'], ['fragment 900']),
                             ('-cbc', [], ['data-ciphers AES-256-CBC'])):
    add('links', 'bridge-frames' + _name, bridged(_lines, _both))


@scenario
def bridge_ipv6_of_a_full_tunnel(l):
    """All IPv4 goes through the tunnel, the far network advertises IPv6: its stations are reached, the rest of IPv6 goes
    neither past the tunnel nor into it."""
    with Lan(l, ['push "redirect-gateway"'], POOL) as lan:
        sh('ip', '-n', lan.ns, 'addr', 'add', 'fd61:1::1/64', 'dev', 'eth0', 'nodad')
        with lan.up():
            dev = l.device(lan.server)
            lan.advertise_until_taken(dev)
            check(any(a.startswith('fe80:') for a in l.tunnels()[dev][0]), 'no address of the link')
            wait_for('an answer of the far station', lambda: l.run(
                'ping', '-6', '-n', '-q', '-c', '1', '-W', '1', 'fd61:1::1', ok=False)[0] == 0)
            route = l.run('ip', '-6', 'route', 'get', '2001:db8::1')
            check('dev ' + dev in route, 'IPv6 goes past the tunnel: ' + route)
            rc, out = l.run('ping', '-6', '-n', '-q', '-c', '1', '-W', '1', '2001:db8::1', ok=False)
            check(rc != 0, out)
