# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server in the server namespace: `with Dns(l, {'name': ['10.0.0.1', 'fd00::1']}) as d:`, a key may be a regular
expression; d.asked lists the names that were asked for. While `d.mute` is set it says nothing. The client uses it until
the end of the block."""
import re
import socket
import struct
import threading

from lab import S4
from sniff import in_network

A, AAAA = 1, 28


class Dns:
    def __init__(self, l, names):
        self.l, self.names, self.asked, self.mute = l, names, [], False

    def open(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((S4, 53))
        s.settimeout(0.2)
        return s

    def addresses(self, name):
        return next((a for n, a in self.names.items() if re.fullmatch(n, name)), None)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = '.'.join(labels).lower(), struct.unpack('>H', query[at + 1:at + 3])[0]
        self.asked.append(name)
        known = self.addresses(name)
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        found = [a for a in known or [] if (':' in a) == (family == socket.AF_INET6)] if family else []
        head = query[:2] + struct.pack('>HHHHH', 0x8180 if known is not None else 0x8183, 1, len(found), 0, 0)
        records = [socket.inet_pton(family, a) for a in found]
        return head + query[12:at + 5] + b''.join(
            b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, 0, len(r)) + r for r in records)

    def run(self):
        while not self.ended:
            try:
                query, source = self.sock.recvfrom(4096)
            except socket.timeout:
                continue
            if not self.mute:
                self.sock.sendto(self.answer(query), source)

    def configure(self, text):
        with open(self.l.scratch + '/etc/resolv.conf', 'w') as f:
            f.write(text)

    def __enter__(self):
        self.ended, self.sock = False, in_network(self.l.server_ns, self.open)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.configure('nameserver %s\noptions timeout:1\n' % S4)
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join(5)
        self.sock.close()
        self.configure('')
