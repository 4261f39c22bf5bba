# SPDX-License-Identifier: GPL-2.0-or-later
"""Sees the packets of one interface: `with Sniffer(namespace, interface) as s: ...` then s.packets, a list of
dicts with time, proto, src, dst, sport, dport, size (UDP and TCP payload of one packet, also when the kernel shows many as
one), syn, mss, head (the first bytes; these three of TCP), total (bytes of the IP packet), df (the network may not cut it in pieces; IPv4).
Later fragments of a datagram have no ports and are counted under proto 'fragment'.
The kernel keeps the packets in the socket until the end: all that have passed are seen, however busy the machine is."""
import ctypes
import os
import socket
import struct


def in_network(name, f):
    """f() with this thread in the network namespace of that name: the sockets that it makes stay there."""
    def enter(fd):
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), 'setns')
    own, there = os.open('/proc/thread-self/ns/net', os.O_RDONLY), os.open('/run/netns/' + name, os.O_RDONLY)
    try:
        enter(there)
        try:
            return f()
        finally:
            enter(own)
    finally:
        os.close(own)
        os.close(there)


class Sniffer:
    def __init__(self, namespace, interface):
        self.namespace, self.interface, self.packets = namespace, interface, []

    def open(self):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR: tells the size of segments
        s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        s.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        s.bind((self.interface, 3))
        return s

    def __enter__(self):
        self.sock = in_network(self.namespace, self.open)
        return self

    def __exit__(self, *_):
        with self.sock as s:
            while True:
                try:
                    data, more, _, address = s.recvmsg(70000, 64, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return
                segment = struct.unpack('=H', data[4:6])[0]
                d = decode(data[10 + (14 if address[3] == 1 else 0):])
                if d:
                    d['time'] = sum(x / y for x, y in zip(struct.unpack('=qq', more[0][2]), (1, 1e9)))
                    if segment and 'size' in d:
                        d['size'] = min(d['size'], segment)
                    self.packets.append(d)

    def udp(self, port):
        return [p for p in self.packets if p['proto'] == 17 and port in (p['sport'], p['dport'])]

    def between(self, port, later):
        """Seconds from the first packet to one port to the first one to another; None when there is none."""
        first, then = ([p['time'] for p in self.packets if p.get('dport') == n] for n in (port, later))
        return then[0] - first[0] if first and then else None

    def syns(self):
        return [p for p in self.packets if p['proto'] == 6 and p['syn']]


def mss_of(options):
    while options and options[0]:
        if options[0] == 1:
            options = options[1:]
            continue
        if len(options) < 2 or options[1] < 2:
            break
        if options[0] == 2:
            return struct.unpack('>H', options[2:4])[0]
        options = options[options[1]:]
    return None


def decode(p):
    if len(p) >= 20 and p[0] >> 4 == 4:
        head, proto, total = (p[0] & 15) * 4, p[9], struct.unpack('>H', p[2:4])[0]
        src, dst = socket.inet_ntop(socket.AF_INET, p[12:16]), socket.inet_ntop(socket.AF_INET, p[16:20])
        if struct.unpack('>H', p[6:8])[0] & 0x1fff:
            return {'proto': 'fragment', 'src': src, 'dst': dst, 'total': total}
    elif len(p) >= 40 and p[0] >> 4 == 6:
        head, proto, total = 40, p[6], 40 + struct.unpack('>H', p[4:6])[0]
        src, dst = socket.inet_ntop(socket.AF_INET6, p[8:24]), socket.inet_ntop(socket.AF_INET6, p[24:40])
    else:
        return None
    d, t = {'proto': proto, 'src': src, 'dst': dst, 'total': total}, p[head:total]
    d['tos'] = p[1] if p[0] >> 4 == 4 else (p[0] << 4 | p[1] >> 4) & 0xff
    if p[0] >> 4 == 4:
        d['df'] = bool(p[6] & 0x40)
    if proto == 17 and len(t) >= 8:
        d['sport'], d['dport'], n = struct.unpack('>HHH', t[:6])
        d['size'] = n - 8
    elif proto == 6 and len(t) >= 20:
        d['sport'], d['dport'] = struct.unpack('>HH', t[:4])
        off = (t[12] >> 4) * 4
        d.update(syn=bool(t[13] & 2), mss=mss_of(t[20:off]), size=len(t) - off, head=t[off:off + 512])
    return d
