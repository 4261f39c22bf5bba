# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP into a bridged network whose DHCP server gives the addresses: a bridge on the server's host, and behind it a host
of the far network."""
import contextlib
import json
import os
import subprocess
import sys

import lab as lab_module
from lab import S4, check, children, sh, stop, wait_for
from registry import scenario

HOST, NET = '10.61.0.1', '10.61.0.'
NO_SERVER = 'no DHCP server answered in its network'


ADVERTISE = ('import socket, struct; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); '
             's.setsockopt(41, 18, 255); '  # IPV6_MULTICAST_HOPS
             'p = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + '
             'struct.pack(">BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "fd61:1::"); '
             's.sendto(p, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))')


class Lan:
    """`with Lan(l, lines) as lan`: lan.server is an openvpn server that bridges, lan.ns the namespace of the far host."""

    def __init__(self, l, lines=(), bridge='server-bridge'):
        self.l, self.lines, self.bridge, self.procs = l, list(lines), bridge, []
        self.ns, self.dir = 'novf-' + l.tag, l.scratch + '/lan'
        self.orders, self.log = self.dir + '/orders', self.dir + '/log'

    def __enter__(self):
        l, s = self.l, self.l.server_ns
        os.makedirs(self.dir, exist_ok=True)
        for path in (self.orders, self.log):
            if os.path.exists(path):
                os.unlink(path)
        try:
            sh('ip', 'netns', 'add', self.ns)
            sh('ip', '-n', s, 'link', 'add', 'lan0', 'type', 'bridge')
            sh('ip', '-n', s, 'link', 'add', 'lan1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.ns)
            sh('ip', '-n', s, 'tuntap', 'add', 'dev', 'lan2', 'mode', 'tap')
            for dev in ('lan1', 'lan2'):
                sh('ip', '-n', s, 'link', 'set', dev, 'master', 'lan0', 'up')
            sh('ip', '-n', s, 'link', 'set', 'lan0', 'up')
            sh('ip', '-n', self.ns, 'addr', 'add', HOST + '/24', 'dev', 'eth0')
            for dev in ('lo', 'eth0'):
                sh('ip', '-n', self.ns, 'link', 'set', dev, 'up')
            self.server = l.server('lan', ['!dev', '!server', '!topology', 'dev lan2', 'dev-type tap', self.bridge] +
                                   self.lines)
            self.server.tun4, self.server.net4 = HOST, NET + '0'
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for p in self.procs:
            for pid in children(p.pid):
                os.kill(pid, 9)
            stop(p)
        self.l.drop_server('lan')
        for dev in ('lan0', 'lan1', 'lan2'):
            sh('ip', '-n', self.l.server_ns, 'link', 'del', dev, ok=False)
        sh('ip', 'netns', 'del', self.ns, ok=False)

    def start(self, *cmd, **kw):
        p = subprocess.Popen(['ip', 'netns', 'exec', self.ns] + list(cmd), stdin=subprocess.DEVNULL,
                             stderr=subprocess.STDOUT, **kw)
        self.procs.append(p)
        return p

    def serve(self, **orders):
        """Starts dhcpd.py, or gives the running one other orders."""
        first = not os.path.exists(self.orders)
        with open(self.orders + '.new', 'w') as f:
            json.dump(dict({'address': NET + '50', 'prefix': 24, 'server': HOST, 'lease': 3600}, **orders), f)
        os.rename(self.orders + '.new', self.orders)
        if first:
            p = self.start(sys.executable, lab_module.HERE + '/dhcpd.py', 'eth0', self.orders, self.log,
                           stdout=subprocess.PIPE, text=True)
            check(p.stdout.readline() == 'ready\n', 'dhcpd.py does not start')

    def seen(self, kind=None):
        with open(self.log) as f:
            rows = [json.loads(x) for x in f if x.endswith('\n')]
        return [x for x in rows if kind in (None, x['type'])]

    def advertise_until_taken(self, dev):
        """Router advertisements of the far network, until the device has an address of it."""
        def advertised():
            sh('ip', 'netns', 'exec', self.ns, '/usr/bin/python3', '-c', ADVERTISE, ok=False)
            return any(a.startswith('fd61:1:') for a in self.l.tunnels()[dev][0])
        wait_for('an address of the advertised network', advertised, 15, 0.3)

    @contextlib.contextmanager
    def up(self, lines=(), text=None, **settings):
        """The name of a connection that is up; taken down and deleted at the end."""
        text = text or self.l.profile(self.server, ['!dev', 'dev tap'] + list(lines))
        name = self.l.import_profile(text, **settings)
        try:
            rc, out, _ = self.l.up(name)
            check(rc == 0, 'up: ' + out)
            yield name
        finally:
            self.l.down(name)
            self.l.delete(name)


def _udhcpd(lan):
    """Debian's udhcpd."""
    conf, leases = lan.dir + '/udhcpd.conf', lan.dir + '/leases'
    open(leases, 'w').close()
    with open(conf, 'w') as f:
        f.write('start %s100\nend %s120\ninterface eth0\nlease_file %s\npidfile %s/pid\n' % (NET, NET, leases, lan.dir) +
                'option subnet 255.255.255.0\noption router %s\noption dns %s %s9\noption domain far.test\n'
                'option search far.test more.test\noption lease 600\n'
                'option staticroutes 198.18.7.0/24 %s2\n' % (HOST, HOST, NET, NET))
    with open(lan.dir + '/udhcpd.log', 'w') as out:  # -a: how long it looks for somebody who has the address
        lan.start('udhcpd', '-f', '-a', '200', conf, stdout=out)


def _broadcast(l, lan, dev):
    """One datagram to everybody, from each side."""
    listen = ('import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); '
              's.bind(("", 4000)); print("ready", flush=True); print(s.recv(99).decode(), flush=True)')
    send = ('import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
            's.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); '
            's.setsockopt(socket.SOL_SOCKET, 25, sys.argv[1].encode()); s.sendto(b"hello", ("255.255.255.255", 4000))')
    far, near = ['ip', 'netns', 'exec', lan.ns], l.enter()
    for here, there, out in ((far, near, dev), (near, far, 'eth0')):
        p = subprocess.Popen(here + ['/usr/bin/python3', '-c', listen], stdout=subprocess.PIPE, text=True)
        try:
            check(p.stdout.readline() == 'ready\n', 'no listener')
            sh(*there, '/usr/bin/python3', '-c', send, out)
            check(p.stdout.readline() == 'hello\n', 'a broadcast was lost on its way out of ' + out)
        finally:
            stop(p)


@scenario
def dhcp_of_the_far_network(l):
    """Address, DNS and routes as leased by udhcpd; unicast and broadcast; the same the next time."""
    with Lan(l) as lan:
        _udhcpd(lan)
        with lan.up() as name:
            dev = l.device(lan.server)
            address = l.tunnels()[dev][0][0]
            check(address.startswith(NET + '1'), address)
            check(l.field(name, 'IP4.DNS').split(' | ') == [HOST, NET + '9'], l.field(name, 'IP4.DNS'))
            check(l.field(name, 'IP4.DOMAIN').split(' | ') == ['far.test', 'more.test'], l.field(name, 'IP4.DOMAIN'))
            routes = l.run('ip', 'route')
            check('198.18.7.0/24 via %s2 dev %s' % (NET, dev) in routes, routes)
            check('default via %s' % HOST not in routes, 'the far network took the default route: ' + routes)
            l.ping(lan.server, 5, size=1400)
            sh('ip', 'netns', 'exec', lan.ns, 'ping', '-n', '-q', '-c', '2', '-i', '0.1', '-W', '2', address)
            _broadcast(l, lan, dev)
            l.down(name)
            rc, out, _ = l.up(name)
            check(rc == 0 and _has(l, address), 'another address than %s: %s %s' % (address, out, l.tunnels()))


@scenario
def dhcp_without_machine_id(l):
    """The TAP's MAC stays the same on a computer that has no machine-id, too."""
    here = [f for f in ('/etc/machine-id', '/var/lib/dbus/machine-id') if os.path.exists(f)]
    with Lan(l) as lan:
        lan.serve()
        for f in here:
            l.run('mount', '--bind', '/dev/null', f)
        try:
            with lan.up() as name:
                l.down(name)
                rc, out, _ = l.up(name)
                check(rc == 0, out)
                macs = [r['mac'] for r in lan.seen('REQUEST')]
                check(len(macs) > 1 and len(set(macs)) == 1, macs)
        finally:
            for f in here:
                l.run('umount', f)


def _options(**more):
    """dns, domain, routes of option 121 as [(net/prefix, gateway)], in dhcpd.py's form."""
    o = {}
    if 'dns' in more:
        o['6'] = bytes(map(int, more['dns'].split('.'))).hex()
    if 'domain' in more:
        o['15'] = more['domain'].encode().hex()
    out = b''
    for net, gateway in more.get('routes', ()):
        net, prefix = net.split('/')
        out += bytes([int(prefix)]) + bytes(map(int, net.split('.')))[:(int(prefix) + 7) // 8]
        out += bytes(map(int, gateway.split('.')))
    if out:
        o['121'] = out.hex()
    return o


def _has(l, address, dev=None):
    return any(address in a for d, (a, _) in l.tunnels().items() if dev in (None, d))


def _routes(l):
    return l.run('ip', 'route')


@scenario
def dhcp_renewed(l):
    """T1 after two seconds: confirmed, then with another route, another address, and after a NAK; released at the end."""
    with Lan(l) as lan:
        lan.serve(lease=90, t1=2, t2=80, options=_options(routes=[('198.18.7.0/24', NET + '2')]))
        with lan.up(['push-peer-info']) as name:
            check(_has(l, NET + '50'), l.tunnels())
            dev, mark = l.device(lan.server), l.mark()
            wait_for('a renewal', lambda: 'confirmed ' + NET + '50' in l.log_since(mark), 15)
            row = [x for x in lan.seen('REQUEST') if x['address']][0]
            check(row['to'] == HOST and row['address'] == NET + '50', 'not to the server of the lease: %s' % row)
            check(row['id'] == '01' + row['mac'] and row['host'], row)
            lan.serve(lease=90, t1=2, t2=80, options=_options(routes=[('198.18.8.0/24', NET + '3')]))
            wait_for('the new route', lambda: '198.18.8.0/24 via %s3' % NET in _routes(l), 15)
            lan.serve(address=NET + '51', lease=90, t1=2, t2=80)
            wait_for('another address', lambda: _has(l, NET + '51', dev) and not _has(l, NET + '50'), 15)
            wait_for('no old route', lambda: '198.18.8.0' not in _routes(l), 15)
            lan.serve(address=NET + '52', request='nak')
            wait_for('the refusal', lambda: 'the address was withdrawn' in l.log_since(mark), 15)
            lan.serve(address=NET + '52', lease=3600)
            wait_for('an address after the refusal', lambda: _has(l, NET + '52', dev), 20)
            l.ping(lan.server)
            check('RECONNECTING' not in l.log_since(mark), 'a new session for that')
            l.down(name)
            last = wait_for('the release', lambda: lan.seen('RELEASE'), 5)[-1]
            check(last['address'] == NET + '52' and last['server'] == HOST, last)


@scenario
def dhcp_lost(l):
    """The DHCP server is gone: the lease ends, the reason is told; with the server the address comes back."""
    with Lan(l) as lan:
        lan.serve(lease=10)
        with lan.up():
            mark = l.mark()
            lan.serve(request='no', offer='no')
            wait_for('the end of the lease', lambda: 'did not renew the address' in l.log_since(mark), 30)
            lan.serve()
            wait_for('the lease again', lambda: 'leased ' + NET + '50' in l.log_since(mark), 30)
            wait_for('the tunnel again', lambda: 'CONFIGURING -> UP' in l.log_since(mark), 10)
            l.ping(lan.server)


@scenario
def dhcp_after_server_restart(l):
    """The openvpn server restarts: the address is used at once and confirmed; one that is refused is replaced."""
    with Lan(l, ['keepalive 1 4', 'explicit-exit-notify 1']) as lan:
        lan.serve()
        with lan.up():
            dev = l.device(lan.server)
            for answer in ('ack', 'nak'):
                lan.serve(address=NET + ('50' if answer == 'ack' else '53'), request=answer)
                mark, discovered, asked = l.mark(), len(lan.seen('DISCOVER')), len(lan.seen('REQUEST'))
                lan.server.stop()
                lan.server.start()
                wait_for('the question', lambda: len(lan.seen('REQUEST')) > asked, 30)
                row = lan.seen('REQUEST')[asked]
                check(row['requested'] == NET + '50' and not row['server'] and not row['address'], row)
                check(len(lan.seen('DISCOVER')) == discovered or answer == 'nak', 'DISCOVER with a good lease')
                wait_for('tunnel up', lambda: 'CONFIGURING -> UP' in l.log_since(mark), 30)
                lan.serve(address=NET + ('50' if answer == 'ack' else '53'))
                wait_for('the address', lambda: _has(l, NET + ('50' if answer == 'ack' else '53'), dev), 30)
                l.ping(lan.server)


@scenario
def dhcp_no_answer(l):
    """Offers that cannot be read are as good as none: refused in time, with the reason."""
    with Lan(l) as lan:
        lan.serve(offer='malformed')
        text = l.profile(lan.server, ['!dev', 'dev tap'])
        l.refused(lan.server, cause=NO_SERVER, within=50, text=text)
        check(len(lan.seen('DISCOVER')) >= 3 and not lan.seen('REQUEST'), lan.seen())


@scenario
def dhcp_address_of_somebody_else(l):
    """A station of the far network has the address that is leased: it is declined, another one is taken, announced."""
    with Lan(l) as lan:
        far = ['ip', '-n', lan.ns]
        sh(*far, 'addr', 'add', NET + '50/24', 'dev', 'eth0')
        sh(*far, 'neigh', 'replace', NET + '51', 'lladdr', '02:00:5e:00:53:99', 'dev', 'eth0', 'nud', 'stale')
        lan.serve(others=[NET + '51'])
        mark = l.mark()
        with lan.up():
            wait_for('the other address', lambda: _has(l, NET + '51') and not _has(l, NET + '50'))
            rows = [x for x in lan.seen() if x['type'] == 'DECLINE']
            check([x['requested'] for x in rows] == [NET + '50'] and rows[0]['server'] == HOST, rows)
            check("somebody else's (%s50, " % NET in l.log_since(mark), l.log_since(mark))
            l.ping(lan.server)
            mac = l.ip_json('link', 'show', l.device(lan.server))[0]['address']
            wait_for('the announcement', lambda: 'lladdr ' + mac in sh(*far, 'neigh', 'show', NET + '51'))


@scenario
def dhcp_addresses_of_others_only(l):
    """Whatever the DHCP server offers is somebody's: refused in time, with the address in the reason."""
    with Lan(l) as lan:
        sh('ip', '-n', lan.ns, 'addr', 'add', NET + '50/24', 'dev', 'eth0')
        lan.serve()
        name, mark = l.import_profile(l.profile(lan.server, ['!dev', 'dev tap'])), l.mark()
        try:
            l.up(name)  # fails, unless this machine is so busy that the objection comes after 0.2 s
            wait_for('the reason', lambda: 'another device there already uses: %s50, ' % NET in l.log_since(mark), 15)
            check(len(lan.seen('DECLINE')) >= 4, lan.seen())
        finally:
            l.down(name)
            l.delete(name)


@scenario
def dhcp_and_what_the_server_pushes(l):
    """The openvpn server's words go before those of the DHCP server; its gateway is for the pushed routes."""
    push = ['push "route 198.18.9.0 255.255.255.0"', 'push "dhcp-option DNS 198.18.9.53"', 'push "redirect-gateway"']
    with Lan(l, push, 'server-bridge nogw') as lan:
        lan.serve(options=_options(dns=HOST, domain='far.test',
                                   routes=[('198.18.7.0/24', NET + '2'), ('0.0.0.0/0', HOST)]))
        with lan.up() as name:
            dev, routes = l.device(lan.server), _routes(l)
            for want in ('198.18.9.0/24 via %s dev %s' % (HOST, dev), '198.18.7.0/24 via %s2' % NET,
                         'default via %s dev %s' % (HOST, dev)):
                check(want in routes, '%s is not in %s' % (want, routes))
            check(l.field(name, 'IP4.DNS') == '198.18.9.53', l.field(name, 'IP4.DNS'))
            check(l.field(name, 'IP4.DOMAIN') == 'far.test', l.field(name, 'IP4.DOMAIN'))


@scenario
def tap_with_addresses_of_the_settings(l):
    """ipv4.method=manual: nobody is asked by DHCP."""
    with Lan(l) as lan:
        lan.serve(offer='no')
        with lan.up(['lladdr 02:00:5e:00:53:07'], ipv4__method='manual', ipv4__addresses=NET + '60/24'):
            check(_has(l, NET + '60'), l.tunnels())
            l.ping(lan.server)
            check(not lan.seen(), lan.seen())
            check('02:00:5e:00:53:07' in l.run('ip', 'link', 'show', l.device(lan.server)), 'lladdr was not obeyed')


@scenario
def ipv6_of_the_far_network(l):
    """Router advertisements behind the bridge are the kernel's business: an address of its own making; the default route
    of the connection stays before the one they offer."""
    with Lan(l) as lan:
        lan.serve()
        with lan.up():
            dev = l.device(lan.server)
            lan.advertise_until_taken(dev)
            routes = l.run('ip', '-6', 'route', 'get', '2001:db8::1')
            check('dev veth0' in routes, 'IPv6 goes to the far network: ' + routes)


@scenario
def dhcp_with_a_static_key(l):
    """Static key mode has no push at all."""
    key = l.scratch + '/lan-static.key'
    subprocess.run(['openvpn', '--genkey', 'secret', key], check=True, stdout=subprocess.DEVNULL)
    mode = ['!duplicate-cn', '!management', '!ca', '!cert', '!key', '!dh', 'cipher AES-256-CBC', 'auth SHA256',
            'providers legacy default', 'setenv opt allow-deprecated-insecure-static-crypto']
    with Lan(l, mode, 'secret %s 0' % key) as lan:
        lan.serve()
        with open(key) as f:
            text = '\n'.join(['dev tap', 'proto udp', 'nobind', 'remote %s %d' % (S4, lan.server.port), 'key-direction 1',
                              'cipher AES-256-CBC', 'auth SHA256', '<secret>', f.read().strip(), '</secret>', ''])
        with lan.up(text=text) as name:
            check(_has(l, NET + '50'), l.tunnels())
            l.ping(lan.server)
            l.down(name)
            wait_for('the release', lambda: lan.seen('RELEASE'), 5)
