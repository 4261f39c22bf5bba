# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies in the server namespace: tinyproxy, squid, microsocks, danted, and a small one of our own that speaks
NTLMv2 and checks the proof.

usage of the own one: proxy.py PORT USER PASSWORD DOMAIN"""
import base64
import hashlib
import hmac
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

USER, PASSWORD, PORT = 'dave', 'pro xy:1', 3128
BEHIND = 'behind.test'  # a name that only the proxy's side knows


class Proxy:
    """One proxy process; ends with the `with` block."""

    def __init__(self, l, kind, login=False):
        from lab import S4, Skipped, wait_for
        self.dir = '%s/proxy-%s' % (l.scratch, kind)
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o777)
        self.l, self.host, self.port, self.kind, self.login = l, S4, PORT, kind, login
        program, args = getattr(self, kind)()
        if not shutil.which(program):
            raise Skipped('%s is not installed' % program)
        self.out = open(self.dir + '/log', 'w')
        # `ip netns exec` gives the program a mount namespace of its own
        hosts = self.file('hosts', '127.0.0.1 localhost %s\n' % BEHIND)
        self.proc = subprocess.Popen(['ip', 'netns', 'exec', l.server_ns, 'sh', '-ec',
                                      'mount --bind "$0" /etc/hosts; exec "$@"', hosts, program] + args,
                                     stdout=self.out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                     start_new_session=True)
        wait_for('%s listens: %s/log' % (kind, self.dir), self.listens, 30, 0.05)

    def listens(self):
        return ':%d ' % self.port in self.l.on_server('ss', '-Hltn')

    def file(self, name, text):
        path = self.dir + '/' + name
        with open(path, 'w') as f:
            f.write(text)
        return path

    def tinyproxy(self):
        return 'tinyproxy', ['-d', '-c', self.file('conf', 'User nobody\nGroup nogroup\nPort %d\nTimeout 600\n%s' % (
            self.port, 'BasicAuth %s %s\n' % (USER, 'plain1') if self.login else ''))]

    def squid(self):
        ha1 = hashlib.md5(('%s:lab:%s' % (USER, PASSWORD)).encode()).hexdigest()
        users = self.file('users', '%s:lab:%s\n' % (USER, ha1))
        return 'squid', ['-N', '-f', self.file('conf', '''http_port %d
auth_param digest program /usr/lib/squid/digest_file_auth -c %s
auth_param digest realm lab
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
pid_filename none
cache_log stdio:%s/cache.log
access_log none
cache_store_log none
visible_hostname lab
shutdown_lifetime 0 seconds
''' % (self.port, users, self.dir))]

    def microsocks(self):
        return 'microsocks', ['-p', str(self.port)] + (['-u', USER, '-P', PASSWORD] if self.login else [])

    def danted(self):
        return 'danted', ['-f', self.file('conf', '''logoutput: stderr
internal: veth0 port = %d
external: veth0
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
''' % self.port)]

    def ntlm(self):
        return sys.executable, [os.path.abspath(__file__), str(self.port), USER, PASSWORD, 'LAB']

    def log(self):
        with open(self.dir + '/log') as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        from lab import wait_for
        os.killpg(self.proc.pid, signal.SIGKILL)  # some have a process for each connection
        self.proc.wait()
        self.out.close()
        # the socket is closed when the last of them is gone; before, the next proxy could not have the port
        wait_for('%s is gone' % self.kind, lambda: not self.listens(), 10, 0.02)


def md4(data):
    """RFC 1320; today's OpenSSL no longer has it."""
    def rol(x, n):
        x &= 0xffffffff
        return (x << n | x >> (32 - n)) & 0xffffffff
    h = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
    msg = data + b'\x80' + b'\0' * ((55 - len(data)) % 64) + struct.pack('<Q', len(data) * 8)
    rounds = ((lambda x, y, z: x & y | ~x & z, 0, range(16), (3, 7, 11, 19)),
              (lambda x, y, z: x & y | x & z | y & z, 0x5a827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
               (3, 5, 9, 13)),
              (lambda x, y, z: x ^ y ^ z, 0x6ed9eba1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
               (3, 9, 11, 15)))
    for at in range(0, len(msg), 64):
        x = struct.unpack('<16I', msg[at:at + 64])
        a, b, c, d = h
        for f, add, order, shifts in rounds:
            for i, k in enumerate(order):
                a, b, c, d = d, rol(a + f(b, c, d) + x[k] + add, shifts[i % 4]), b, c
        h = [(u + v) & 0xffffffff for u, v in zip(h, (a, b, c, d))]
    return struct.pack('<4I', *h)


CHALLENGE = b'\x01\x23\x45\x67\x89\xab\xcd\xef'


def type2(domain):
    name = domain.encode('utf-16le')
    info = struct.pack('<HH', 2, len(name)) + name + struct.pack('<HH', 0, 0)
    head = b'NTLMSSP\0' + struct.pack('<IHHII', 2, len(name), len(name), 48, 0x00828205)
    return head + CHALLENGE + b'\0' * 8 + struct.pack('<HHI', len(info), len(info), 48 + len(name)) + name + info


def type3_is_good(msg, user, password):
    def field(at):
        n, _, start = struct.unpack('<HHI', msg[at:at + 8])
        return msg[start:start + n]
    flags = struct.unpack('<I', msg[60:64])[0]
    text = (lambda b: b.decode('utf-16le')) if flags & 1 else (lambda b: b.decode())
    response, domain, name = field(20), text(field(28)), text(field(36))
    key = hmac.new(md4(password.encode('utf-16le')), (name.upper() + domain).encode('utf-16le'), 'md5').digest()
    proof = hmac.new(key, CHALLENGE + response[16:], 'md5').digest()
    return name == user and proof == response[:16]


def serve(c, user, password, domain):
    def head():
        data = b''
        while b'\r\n\r\n' not in data:
            more = c.recv(1)
            if not more:
                sys.exit()
            data += more
        return data.decode().split('\r\n')

    def refuse(value):
        c.sendall(('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: %s\r\nProxy-Connection: '
                   'keep-alive\r\nContent-Length: 5\r\n\r\nwhat?' % value).encode())
    while True:
        lines = head()
        auth = [x.split(' ', 2)[2] for x in lines if x.lower().startswith('proxy-authorization: ntlm ')]
        msg = base64.b64decode(auth[0]) if auth else b''
        if msg[8:9] == b'\x03' and type3_is_good(msg, user, password):
            break
        print('refused', lines[0], msg[8:9], flush=True)
        refuse('NTLM ' + base64.b64encode(type2(domain)).decode() if msg[8:9] == b'\x01' else 'NTLM')
    host, port = lines[0].split()[1].rsplit(':', 1)
    s = socket.create_connection((host, int(port)))
    print('connected', host, port, flush=True)
    c.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')

    def pump(a, b):
        while True:
            data = a.recv(65536)
            if not data:
                b.shutdown(socket.SHUT_WR)
                return
            b.sendall(data)
    threading.Thread(target=pump, args=(s, c), daemon=True).start()
    pump(c, s)


def main(port, user, password, domain):
    l = socket.create_server(('0.0.0.0', int(port)))
    while True:
        c, _ = l.accept()
        threading.Thread(target=serve, args=(c, user, password, domain), daemon=True).start()


if __name__ == '__main__':
    main(*sys.argv[1:])
