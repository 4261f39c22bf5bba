# SPDX-License-Identifier: GPL-2.0-or-later
"""Several servers behind proxies, of which the first do not answer: connecting goes on to the next as it does without a
proxy."""
import socket

from lab import S4, check
from links import silence
from proxies import HTTP, SOCKS, login
from proxy import PORT, Proxy
from registry import add, scenario
from sniff import in_network


def several(kind, first, n, within, lines=(), proto='tcp', with_login=False):
    """The first `n` servers behind the proxy do not answer, or are refused; the last one is reached soon."""
    def f(l):
        silence(l)
        s = l.server('proxied-' + proto, proto=proto)
        remotes = ['!remote'] + ['remote %s %d' % (S4, first)] * n + ['remote %s %d' % (S4, s.port)]
        with Proxy(l, kind, with_login):
            name = l.import_profile(l.profile(s, remotes + list(lines)))
            try:
                rc, out, took = l.up(name, timeout=70)
                check(rc == 0, out)
                print('    up after %.1f s' % took, flush=True)
                check(took < within, 'up only after %.1f s' % took)
                l.ping(s, interval='0.2')
            finally:
                l.down(name)
                l.delete(name)
    return f


add('proxies', 'http-first-server-silent', several('tinyproxy', 7, 1, 6, [HTTP]))
add('proxies', 'http-six-servers-silent', several('tinyproxy', 7, 6, 12, [HTTP]))
add('proxies', 'http-first-server-refused', several('tinyproxy', 9, 2, 6, [HTTP]))
add('proxies', 'http-login-and-first-server-silent', several('squid', 7, 2, 8, [HTTP + ' auto', login()]))
add('proxies', 'socks-first-server-silent', several('microsocks', 7, 1, 6, [SOCKS]))
add('proxies', 'socks-first-server-refused', several('microsocks', 9, 2, 6, [SOCKS]))
add('proxies', 'socks-udp-servers-silent', several('danted', 7, 3, 8, [SOCKS], 'udp'))


@scenario
def first_proxy_silent(l):
    """Two servers, each behind a proxy of its own, of which the first swallows everything."""
    silence(l)
    t = l.server('proxied-tcp', proto='tcp')
    block = '<connection>\nremote %s %d tcp\nhttp-proxy %s %d\n</connection>'
    with Proxy(l, 'tinyproxy'):
        name = l.import_profile(l.profile(t, ['!remote', '!proto', block % (S4, t.port, S4, 7), block % (
            S4, t.port, S4, PORT)]))
        try:
            rc, out, took = l.up(name, timeout=70)
            check(rc == 0, out)
            print('    up after %.1f s' % took, flush=True)
            check(took < 6, 'up only after %.1f s' % took)
        finally:
            l.down(name)
            l.delete(name)


@scenario
def silent_proxy_is_named(l):
    """Connections to the proxy are swallowed; several servers are behind it."""
    silence(l)
    s = l.server('proxied-tcp', proto='tcp')
    l.refused(s, ['!remote', 'remote %s 1' % S4, 'remote %s 2' % S4, 'http-proxy %s 7' % S4, 'connect-timeout 3'],
              r'Cannot connect to the proxy: %s:7: it does not answer' % S4, within=25)


@scenario
def idle_proxy_is_named(l):
    """The proxy takes the connection and the order, and does not say anything."""
    s = l.server('proxied-tcp', proto='tcp')
    listener = in_network(l.server_ns, lambda: socket.create_server((S4, PORT)))
    with listener:
        l.refused(s, ['!remote', 'remote %s 1' % S4, 'remote %s 2' % S4, HTTP, 'connect-timeout 3'],
                  r'proxy did not connect to the VPN server: %s:%d: it does not answer' % (S4, PORT), within=25)
