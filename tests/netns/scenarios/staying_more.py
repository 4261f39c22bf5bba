# SPDX-License-Identifier: GPL-2.0-or-later
"""Staying connected, part two: packets out of order, servers that move, giving up, networks that come and go."""
import random
import select
import signal
import socket
import threading
import time

from lab import C4, S4, check, wait_for
from life import Up
from registry import add, scenario
from sniff import in_network
from staying import Flow, crash, learned


class Disorder(threading.Thread):
    """A UDP relay in the server's namespace (the kernel need not have netem): each packet waits up to `most` seconds, so
    that many overtake others; `turned` counts them."""

    def __init__(self, l, s, port, most):
        super().__init__(daemon=True)
        self.least, self.most, self.turned, self.passed, self.ended = 0, most, 0, 0, False
        self.front, self.back = in_network(l.server_ns, lambda: [
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)])
        self.front.bind((S4, port))
        self.back.connect((S4, s.port))
        self.start()

    def run(self):
        client, queue, number, last = None, [], 0, {}
        while not self.ended:
            ready = select.select([self.front, self.back], [], [], 0.001)[0]
            now = time.monotonic()
            for sock in ready:
                data, source = sock.recvfrom(65536)
                if sock is self.front:
                    client = source
                number += 1
                queue.append((now + self.least + random.random() * self.most, number, sock, data))
            queue.sort()
            while queue and queue[0][0] <= now:
                _, n, sock, data = queue.pop(0)
                self.passed += 1
                self.turned += n < last.get(sock, 0)
                last[sock] = max(n, last.get(sock, 0))
                if sock is self.front:
                    self.back.send(data)
                else:
                    self.front.sendto(data, client)

    def stop(self):
        self.ended = True
        self.join(5)
        self.front.close()
        self.back.close()


@scenario
def reordering(l):
    """Packets overtake each other in both directions, from the first of the handshake on: none is lost by that."""
    s = l.server('disorder', ['keepalive 10 60'])
    relay = Disorder(l, s, 13001, 0.03)
    name = l.import_profile(l.profile(s, ['!remote', 'remote %s 13001' % S4]))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        before = relay.turned, relay.passed
        l.ping(s, 400, interval='0.005')
        turned, passed = relay.turned - before[0], relay.passed - before[1]
        print('    %d of %d packets were overtaken, 400 of 400 pings answered' % (turned, passed), flush=True)
        check(turned > 100, 'only %d packets were overtaken' % turned)
        check(s.log().count('Peer Connection Initiated') == 1, 'a new session was made')
    finally:
        l.down(name)
        l.delete(name)
        relay.stop()
        l.drop_server('disorder')


@scenario
def crash_while_nobody_speaks(l):
    """No packet of ours tells of it: the pings that do not come do, long before ping-restart."""
    s = l.server('idle', ['keepalive 2 120'])
    with Up(l, s) as u:
        learned(u)
        crash(s)
        begin = time.monotonic()
        wait_for('a new session', lambda: 'Peer Connection Initiated' in s.log(), 20)
        print('    noticed after %.1f s' % (time.monotonic() - begin), flush=True)
        u.kept()
        l.ping(s)


def hosts(l, address):
    """The name of the server that moves, in the client's hosts file."""
    path = l.scratch + '/etc/hosts'
    with open(path) as f:
        text = [x for x in f if 'moving.test' not in x]
    with open(path, 'w') as f:
        f.writelines(text + (['%s moving.test\n' % address] if address else []))


def moves(proto, lines, near=True):
    """The server crashes and is back at another address of the same name, on the same network or behind the router."""
    here, other, dev = (S4, '10.213.0.9', 'veth0') if near else ('192.0.2.1', '192.0.2.9', 'lo')

    def f(l):
        for a in (here, other):
            l.on_server('ip', 'address', 'add', a + '/' + ('24' if near else '32'), 'dev', dev, ok=False)
        hosts(l, here)
        s = l.server('moving', ['keepalive 10 60', '!multihome', 'local ' + here] + lines, proto=proto)
        name = l.import_profile(l.profile(s, remote='moving.test'))
        try:
            rc, out, _ = l.up(name)
            check(rc == 0, out)
            tun = l.device(s)
            with Flow(l, s, tun) as flow:
                time.sleep(1)
                begin = time.time()
                s.stop(signal.SIGKILL)
                s.config = s.config.replace('local ' + here, 'local ' + other)
                hosts(l, other)
                s.start()
                gap = flow.gap(begin, 30)
            print('    %s: gap %.2f s' % (proto, gap), flush=True)
            check(gap < 15, 'no traffic for %.1f s' % gap)
            check(tun == l.device(s), 'the tunnel device was not kept')
            wait_for('the server itself stays outside', lambda: 'dev veth0' in l.run('ip', 'route', 'get', other), 5)
            l.ping(s)
        finally:
            l.down(name)
            l.delete(name)
            l.drop_server('moving')
            hosts(l, None)
            for a in (here, other):
                if a != S4:
                    l.on_server('ip', 'address', 'del', a + '/' + ('24' if near else '32'), 'dev', dev, ok=False)
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'address-of-the-server-changes-' + _proto, moves(_proto, []))
    add('staying', 'address-of-the-server-changes-full-tunnel-' + _proto,
        moves(_proto, ['push "redirect-gateway def1"']))
    add('staying', 'address-of-the-server-changes-far-away-full-tunnel-' + _proto,
        moves(_proto, ['push "redirect-gateway def1"'], near=False))


def retry_max(l, s):
    return Up(l, s, ['connect-retry 1 1', 'connect-retry-max 2', 'server-poll-timeout 3', 'connect-timeout 3'])


@scenario
def connect_retry_max_gives_up(l):
    """So many rounds without an answer, then the connection ends; without it, it never does."""
    s = l.server('retry-max', ['keepalive 10 60'], proto='tcp')
    with retry_max(l, s) as u:
        l.ping(s)
        s.stop(signal.SIGKILL)
        begin = time.monotonic()
        u.gone(30)
        took = time.monotonic() - begin
        print('    gave up after %.1f s' % took, flush=True)
        check(took > 1.5, 'gave up after %.1f s' % took)


@scenario
def connect_retry_max_counts_anew(l):
    """Crashes that are over soon do not add up, and the server may be away for a moment."""
    s = l.server('retry-anew', ['keepalive 10 60'], proto='tcp')
    with retry_max(l, s) as u:
        for away in (0.6, 0, 0):
            l.ping(s)
            s.stop(signal.SIGKILL)
            time.sleep(away)
            s.start()
            l.works(s)
            u.kept()


def state(l, name):
    return l.nmcli('-g', 'GENERAL.STATE', 'connection', 'show', name, ok=False)[1]


def base_goes_away(persistent):
    """The network below goes down and comes back. Without vpn.persistent NetworkManager ends the VPN; with it the VPN
    stays and works again."""
    def f(l):
        s = l.server('persistent', ['keepalive 10 60'])
        with Up(l, s, vpn__persistent='yes' if persistent else 'no') as u:
            l.ping(s)
            try:
                l.nmcli('connection', 'down', 'base')
                if persistent:
                    time.sleep(3)
                    check(state(l, u.name) == 'activated', 'the VPN is ' + (state(l, u.name) or 'down'))
                    u.kept()
                else:
                    u.gone()
            finally:
                l.nmcli('connection', 'up', 'base')
                wait_for('the uplink', lambda: C4 in l.run('ip', '-4', 'address', 'show', 'dev', 'veth0'))
            if persistent:
                print('    works again %.1f s after the uplink' % l.works(s), flush=True)
                u.kept()
    return f


add('staying', 'uplink-goes-away', base_goes_away(False))
add('staying', 'uplink-goes-away-persistent', base_goes_away(True))


@scenario
def networkmanager_starts_it_again(l):
    """A VPN that belongs to the connection below (connection.secondaries): it comes and goes with that, asked by nobody."""
    s = l.server('secondary', ['keepalive 10 60'])
    name = l.import_profile(l.profile(s))
    l.nmcli('connection', 'modify', 'base', 'connection.secondaries', l.field(name, 'connection.uuid'))

    def sessions():
        return s.log().count('Peer Connection Initiated')
    try:
        for n in (1, 2):
            l.nmcli('--wait', '60', 'connection', 'up', 'base')
            wait_for('the connection %d' % n, lambda: sessions() >= n and state(l, name) == 'activated', 20)
            l.works(s)
            l.ping(s)
        l.nmcli('connection', 'down', 'base')
        wait_for('the tunnel is gone', lambda: not l.tunnels())
    finally:
        l.nmcli('connection', 'modify', 'base', 'connection.secondaries', '')
        l.nmcli('connection', 'up', 'base')
        l.down(name)
        l.delete(name)
        l.drop_server('secondary')


@scenario
def persistent_and_the_server_crashes(l):
    s = l.server('persistent-crash', ['keepalive 10 60'])
    with Up(l, s, vpn__persistent='yes') as u:
        learned(u)
        l.ping(s)
        crash(s)
        l.works(s)
        u.kept()
        check(state(l, u.name) == 'activated', 'the VPN is ' + state(l, u.name))
