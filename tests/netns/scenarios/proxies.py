# SPDX-License-Identifier: GPL-2.0-or-later
"""Through HTTP and SOCKS5 proxies, real ones where there are any (../lib/proxy.py)."""
from lab import S4, S6, check
from proxy import BEHIND, PASSWORD, PORT, USER, Proxy
from registry import add, scenario
from sniff import Sniffer


def login(user=USER, password=PASSWORD):
    return '<http-proxy-user-pass>\n%s\n%s\n</http-proxy-user-pass>' % (user, password)


def only_the_proxy(l):
    """The server's own port is closed to the client: what arrives came through the proxy."""
    l.on_server('nft', 'add', 'table', 'inet', 'proxied')
    l.on_server('nft', 'add', 'chain', 'inet', 'proxied', 'i', '{ type filter hook input priority 0; }')
    l.on_server('nft', 'add', 'rule', 'inet', 'proxied', 'i', 'iifname', 'veth0', 'meta', 'l4proto',
                '{ tcp, udp }', 'th', 'dport', '11940-12100', 'drop')


def through(kind, lines, proto='tcp', with_login=False, remote=None, size=1200, **kw):
    def f(l):
        s = l.server('proxied-' + proto, proto=proto)
        with Proxy(l, kind, with_login):
            only_the_proxy(l)
            try:
                # microsocks collects small packets for up to 40 ms
                l.cycle(s, lines, remote=remote, ping=False, then=lambda n: l.ping(s, size=size, interval='0.2'), **kw)
            finally:
                l.on_server('nft', 'delete', 'table', 'inet', 'proxied')
    return f


HTTP, SOCKS = 'http-proxy %s %d' % (S4, PORT), 'socks-proxy %s %d' % (S4, PORT)
add('proxies', 'http-none', through('tinyproxy', [HTTP]))
add('proxies', 'http-name', through('tinyproxy', [HTTP], remote=BEHIND))
add('proxies', 'http-over-ipv6', through('tinyproxy', ['http-proxy %s %d' % (S6, PORT)]))
add('proxies', 'http-basic', through('tinyproxy', [HTTP + ' stdin basic', login(password='plain1')], with_login=True))
add('proxies', 'http-auto-basic', through('tinyproxy', [HTTP + ' auto', login(password='plain1')], with_login=True))
add('proxies', 'http-digest', through('squid', [HTTP + ' stdin digest', login()]))
add('proxies', 'http-auto-nct-digest', through('squid', [HTTP + ' auto-nct', login()]))
add('proxies', 'http-ntlm', through('ntlm', [HTTP + ' stdin ntlm2', login('LAB\\' + USER)]))
add('proxies', 'http-auto-ntlm', through('ntlm', [HTTP + ' auto', login()]))
add('proxies', 'socks', through('microsocks', [SOCKS]))
add('proxies', 'socks-name', through('microsocks', [SOCKS], remote=BEHIND))
add('proxies', 'socks-login', through('microsocks', [SOCKS, login()], with_login=True))
add('proxies', 'socks-udp', through('danted', [SOCKS], proto='udp'))
add('proxies', 'socks-dante', through('danted', [SOCKS]))


@scenario
def http_11_headers(l):
    with Sniffer(l.server_ns, 'veth0') as w:
        through('tinyproxy', [HTTP, 'http-proxy-option VERSION 1.1', 'http-proxy-option AGENT "Lab 1"',
                              'http-proxy-option CUSTOM-HEADER X-A b'])(l)
    sent = b''.join(p['head'] for p in w.packets if p['proto'] == 6 and p['dport'] == PORT)
    for want in (b' HTTP/1.1\r\n', b'User-Agent: Lab 1\r\n', b'X-A: b\r\n'):
        check(want in sent, '%s was not sent: %s' % (want, sent[:300]))


@scenario
def keys_of_the_older_plugin(l):
    """vpn.data as NetworkManager-openvpn wrote it, the password as a secret; the proxy asks."""
    s = l.server('proxied-tcp', proto='tcp')
    data = 'proxy-type=http,proxy-server=%s,proxy-port=%d,http-proxy-username=%s,http-proxy-password-flags=0' % (
        S4, PORT, USER)
    with Proxy(l, 'squid'):
        l.cycle(s, inline=False, settings={'data': data, 'secrets': 'http-proxy-password=' + PASSWORD})


def asked(kind, line):
    """The proxy demands a sign-in that the profile does not have: the agent is asked for both."""
    def f(l):
        with Proxy(l, kind, True):
            l.cycle(l.server('proxied-tcp', proto='tcp'), [line], size=56, ping=False, secrets={
                'http-proxy-username': USER, 'http-proxy-password': PASSWORD})
    return f


add('proxies', 'http-asked', asked('squid', HTTP + ' auto'))
add('proxies', 'socks-asked', asked('microsocks', SOCKS))


@scenario
def credentials_file(l):
    path = l.scratch + '/proxy-login'
    with open(path, 'w') as f:
        f.write('%s\n%s\n' % (USER, PASSWORD))
    with Proxy(l, 'squid'):
        l.cycle(l.server('proxied-tcp', proto='tcp'), ['%s %s digest' % (HTTP, path)])


@scenario
def wrong_password(l):
    with Proxy(l, 'squid'):
        l.refused(l.server('proxied-tcp', proto='tcp'), [HTTP + ' auto', login(password='wrong')],
                  'proxy rejected the user name or password: 407')


@scenario
def unreachable(l):
    l.refused(l.server('proxied-tcp', proto='tcp'), [HTTP], r'Cannot connect to the proxy: %s:%d: ' % (S4, PORT))


@scenario
def server_behind_it_is_closed(l):
    with Proxy(l, 'tinyproxy'):
        l.refused(l.server('proxied-tcp', proto='tcp'), [HTTP, '!remote', 'remote %s 9' % S4],
                  'proxy did not connect to the VPN server: 500|proxy did not connect to the VPN server: 50')


@scenario
def not_a_proxy(l):
    s = l.server('proxied-tcp', proto='tcp')
    l.refused(s, ['http-proxy %s %d' % (S4, s.port), 'connect-timeout 5'], 'proxy')


@scenario
def udp_profile_with_http_proxy(l):
    l.refused(l.server('proxied-udp'), [HTTP], 'http-proxy: works with TCP only')


@scenario
def udp_remote_is_left_out(l):
    u, t = l.server('proxied-udp'), l.server('proxied-tcp', proto='tcp')
    with Proxy(l, 'tinyproxy'):
        l.cycle(t, ['!remote', '!proto', 'remote %s %d udp' % (S4, u.port), 'remote %s %d tcp' % (S4, t.port), HTTP])


@scenario
def proxy_of_a_connection_block(l):
    """The first block's proxy is not there; the second goes through one, without a line outside."""
    t = l.server('proxied-tcp', proto='tcp')
    blocks = ['<connection>\nremote %s %d tcp\nhttp-proxy %s 9\n</connection>' % (S4, t.port, S4),
              '<connection>\nremote %s %d tcp\n%s\n</connection>' % (S4, t.port, SOCKS)]
    with Proxy(l, 'microsocks') as p:
        l.cycle(t, ['!remote', '!proto'] + blocks)


@scenario
def relay_dies(l):
    """The proxy of a UDP connection ends and comes back: the tunnel is there again, the device kept."""
    s = l.server('proxied-udp')
    name = l.import_profile(l.profile(s, [SOCKS, 'connect-retry 1 1']))
    try:
        with Proxy(l, 'danted'):
            rc, out, _ = l.up(name)
            check(rc == 0, out)
            l.ping(s)
        with Proxy(l, 'danted'):
            print('    back after %.1f s' % l.works(s), flush=True)
    finally:
        l.down(name)
        l.delete(name)


import proxies_several  # noqa: E402,F401
