# SPDX-License-Identifier: GPL-2.0-or-later
"""Two network namespaces, a real NetworkManager in one, real openvpn servers in the other.

Lab       the namespaces, D-Bus, NetworkManager, nmcli helpers, checks
Server    one openvpn server process
Nothing leaves the namespaces; names carry the pid; close() removes everything and kills only own children."""
import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pki as pki_module

HERE = os.path.dirname(os.path.abspath(__file__))
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <policy user="root">
    <allow send_destination="*"/>
    <allow own="org.freedesktop.NetworkManager"/>
  </policy>
  <includedir>/usr/share/dbus-1/system.d</includedir>
  <includedir>/etc/dbus-1/system.d</includedir>
</busconfig>
"""
NM_CONF = """[main]
plugins=keyfile
dns={dns}
rc-manager=unmanaged
auth-polkit=false
no-auto-default=*
configure-and-quit=no
[keyfile]
path=/run/connections
[logging]
level=INFO
domains=ALL:INFO,VPN_PLUGIN:{vpn_level}
[connectivity]
enabled=false
"""
USERS = (('nm-ovpn', 64211), ('nm-openvpn', 64212), ('alice', 64213), ('bob', 64214))
C4, S4, C6, S6 = '10.213.0.2', '10.213.0.1', 'fd42:213::2', 'fd42:213::1'


VPN_TYPE = os.environ.get('VPN_TYPE', 'openvpn')  # the build's -Dvpn-service
PATIENCE = 4


class Failed(Exception):
    """A scenario's expectation did not hold."""


class Skipped(Exception):
    """Something this machine does not have."""


def check(cond, why):
    if not cond:
        raise Failed(why)


def wait_for(what, cond, timeout=10.0, step=0.02):
    """Polls until cond() is true and returns its value. The limit is that of an idle machine, and stretched for a busy
    one: where a time is meant, the scenario measures it."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed('timed out after %gs: %s' % (timeout, what))
        time.sleep(step)


def sh(*args, ok=True, timeout=120, **kw):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       stdin=subprocess.DEVNULL, timeout=timeout, **kw)
    if ok and p.returncode:
        raise Failed('%s: %s' % (' '.join(args), p.stdout.strip()))
    return p.stdout if ok else (p.returncode, p.stdout.strip())


def children(pid):
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def stop(proc, sig=signal.SIGTERM, timeout=5):
    """Ends one child of ours."""
    if proc and proc.poll() is None:
        proc.send_signal(sig)
        try:
            proc.wait(timeout)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()


class Journal(threading.Thread):
    """Stands in for the journal of the client: writes MESSAGE (and the interesting fields) to a file. settle() waits
    until all that was sent so far is in it."""

    def __init__(self, root, path):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        os.makedirs(root + '/run/systemd/journal', exist_ok=True)
        name = root + '/run/systemd/journal/socket'
        self.sock.bind(name)
        os.chmod(name, 0o666)
        self.own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.own.connect(name)
        self.settled = threading.Event()
        self.out = open(path, 'a', buffering=1)
        self.start()

    def settle(self):
        """Messages come in order: when ours is here, so are those before it."""
        self.settled.clear()
        self.own.send(b'SETTLE=1\n')
        check(self.settled.wait(30), 'the journal stands still')

    def run(self):
        while True:
            try:
                data = self.sock.recv(1 << 17)
            except OSError:
                return
            fields = dict(self.parse(data))
            if 'MESSAGE' in fields:
                self.out.write('%s <%s> %s\n' % (fields.get('SYSLOG_IDENTIFIER', '?'), fields.get('PRIORITY', '?'),
                                                 fields['MESSAGE']))
            elif 'SETTLE' in fields:
                self.settled.set()

    @staticmethod
    def parse(data):
        """The journal's native protocol: KEY=text, or KEY, newline, 64-bit length, bytes."""
        while data:
            line, _, data = data.partition(b'\n')
            key, eq, value = line.partition(b'=')
            if not eq:
                n = int.from_bytes(data[:8], 'little')
                value, data = data[8:8 + n], data[8 + n + 1:]
            yield key.decode(), value.decode(errors='replace')


def newer_openvpn():
    """Command of the openvpn of a newer Debian, from the tree that OVPN_SID_ROOT names (tests/netns/make-sid)."""
    root = os.environ.get('OVPN_SID_ROOT')
    if not root or not os.path.exists(root + '/usr/sbin/openvpn'):
        raise Skipped('no openvpn 2.7: set OVPN_SID_ROOT, see tests/netns/make-sid')
    return [root + '/lib64/ld-linux-x86-64.so.2', '--library-path', root + '/usr/lib/x86_64-linux-gnu',
            root + '/usr/sbin/openvpn']


class Server:
    """openvpn in the server namespace. `lines` are added to a small base; a line with one word and '!' in
    front removes a directive of the base."""

    def __init__(self, lab, name, lines=(), proto='udp', ca='ec', cert=None, mode='server',
                 program=('openvpn',), later=False):
        self.lab, self.name, self.proto, self.ca, self.program = lab, name, proto, ca, list(program)
        self.lines = list(lines)
        lab.server_count += 1
        n = self.n = lab.server_count
        self.port = 11940 + n
        self.tun4, self.net4 = '10.60.%d.1' % n, '10.60.%d.0' % n
        self.tun6, self.net6 = 'fd60:%x::1' % n, 'fd60:%x::' % n
        self.dir = '%s/server-%d' % (lab.scratch, n)
        os.makedirs(self.dir)
        self.management = self.dir + '/m'
        crt, key = cert or lab.pki.server(ca)
        base = ['dev tun', 'proto ' + {'udp': 'udp', 'tcp': 'tcp-server'}.get(proto, proto),
                'port %d' % self.port, 'multihome' if proto.startswith('udp') else '',
                'server %s 255.255.255.0' % self.net4, 'topology subnet', 'ca ' + lab.pki.ca(ca).crt,
                'cert ' + crt, 'key ' + key, 'dh none', 'verb 4', 'management %s unix' % self.management,
                'duplicate-cn', 'cd ' + self.dir]
        drop = [x[1:] for x in lines if x.startswith('!')]
        base = [x for x in base if x and x.split()[0] not in drop]
        self.config = '\n'.join(base + [x for x in lines if not x.startswith('!')]) + '\n'
        self.proc = None
        if not later:
            self.start()

    def start(self):
        with open(self.dir + '/server.conf', 'w') as f:
            f.write(self.config)
        self.logfile = self.dir + '/log'
        self.out = open(self.logfile, 'w')
        self.proc = subprocess.Popen(['ip', 'netns', 'exec', self.lab.server_ns] + self.program + ['--config',
                                      self.dir + '/server.conf'], stdout=self.out,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_for('server %s starts: %s' % (self.name, self.logfile), self.started)

    def started(self):
        if self.proc.poll() is not None:
            raise Failed('server %s ended: %s' % (self.name, self.log()[-400:]))
        return re.search(r'Initialization Sequence Completed|UDPv[46] link remote|Listening for incoming TCP|'
                         r'Attempting to establish TCP', self.log())

    def log(self):
        return pki_module.read(self.logfile)

    def stop(self, sig=signal.SIGTERM):
        if self.proc:
            stop(self.proc, sig)
            self.out.close()

    def manage(self, *commands, wait=None, timeout=5):
        """Sends commands to the management interface; returns what it said until `wait` was seen."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.management)
        s.sendall(('\n'.join(commands) + '\n').encode())
        got, end = '', time.monotonic() + timeout
        while time.monotonic() < end and not (wait and re.search(wait, got)):
            s.settimeout(0.3 if not wait else max(0.05, end - time.monotonic()))
            try:
                data = s.recv(4096)
            except socket.timeout:
                break
            if not data:
                break
            got += data.decode()
        s.close()
        return got

    def client_id(self):
        """CID of the newest client."""
        out = self.manage('status 2', wait=r'\nEND')
        rows = [x.split(',') for x in out.splitlines() if x.startswith('CLIENT_LIST')]
        return rows[-1][10] if rows else None


class Lab:
    """One client host with NetworkManager and one server host."""

    def __init__(self, tree, pki=None, dns='none', vpn_level='DEBUG', mtu=1500, keep=False):
        os.umask(0o022)
        self.tree, self.keep = tree, keep
        self.scratch = tempfile.mkdtemp(prefix='nm-ovpn-lab-%d-' % os.getpid())
        os.chmod(self.scratch, 0o755)
        self.tag = '%d-%s' % (os.getpid(), self.scratch[-4:])
        self.client_ns, self.server_ns = 'novc-' + self.tag, 'novs-' + self.tag
        self.servers, self.server_count, self.procs, self.profiles = {}, 0, [], 0
        self.stage = self.bus = self.nm = None
        self.dns, self.vpn_level, self.mtu = dns, vpn_level, mtu
        self.pki = pki or pki_module.Pki(self.scratch + '/pki')
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that close() is reached
        try:
            self.make_namespaces()
            self.make_stage()
            self.journal_file = self.scratch + '/journal.log'
            self.journal = Journal('/proc/%d/root' % self.init, self.journal_file)
            self.start_bus()
            self.start_nm()
        except BaseException:
            self.close()
            raise

    # -- hosts

    def make_namespaces(self):
        c, s = self.client_ns, self.server_ns
        sh('ip', 'netns', 'add', c)
        sh('ip', 'netns', 'add', s)
        sh('ip', '-n', c, 'link', 'add', 'veth0', 'mtu', str(self.mtu), 'type', 'veth', 'peer', 'name',
           'veth0', 'netns', s)
        for ns in (c, s):
            sh('ip', 'netns', 'exec', ns, 'sh', '-c',
               'cd /proc/sys/net/ipv6/conf && echo 0 >all/accept_dad && echo 0 >default/accept_dad && '
               'echo 0 >veth0/accept_dad; echo 1 >/proc/sys/net/ipv4/ip_forward; '
               'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range; true')
            sh('ip', '-n', ns, 'link', 'set', 'lo', 'up')
        sh('ip', '-n', s, 'addr', 'add', S4 + '/24', 'dev', 'veth0')
        sh('ip', '-n', s, 'addr', 'add', S6 + '/64', 'dev', 'veth0', 'nodad')
        sh('ip', '-n', s, 'link', 'set', 'veth0', 'up')

    def make_stage(self):
        etc = self.scratch + '/etc'
        os.makedirs(etc + '/tpm2_pkcs11')  # for auth_tpm.py to mount something on
        passwd, group = pki_module.read('/etc/passwd'), pki_module.read('/etc/group')
        for name, uid in USERS:
            if not re.search('^%s:' % name, passwd, re.M):
                passwd += '%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n' % (name, uid, uid)
                group += '%s:x:%d:\n' % (name, uid)
        files = {'passwd': passwd, 'group': group, 'lab-bus.conf': BUS, 'resolv.conf': '',
                 'lab-nm.conf': NM_CONF.format(dns=self.dns, vpn_level=self.vpn_level),
                 'hosts': '127.0.0.1 localhost\n%s server.test\n%s server6.test\n' % (S4, S6)}
        for name, text in files.items():
            with open('%s/%s' % (etc, name), 'w') as f:
                f.write(text)
        self.stage = subprocess.Popen(
            ['ip', 'netns', 'exec', self.client_ns, 'unshare', '--mount', '--propagation', 'private', '--pid',
             '--fork', '--kill-child', '--mount-proc', '/usr/bin/python3', HERE + '/stage.py', self.scratch,
             self.tree], stdout=subprocess.PIPE, stderr=open(self.scratch + '/stage.log', 'w'),
            stdin=subprocess.DEVNULL, text=True)
        check(self.stage.stdout.readline().strip() == 'ready', 'the client namespace was not prepared')
        self.init = wait_for('the first process of the client', lambda: children(self.stage.pid))[0]

    def enter(self, *cmd):
        return ['nsenter', '-t', str(self.init), '-m', '-n', '-p', '--'] + list(cmd)

    def start(self, *cmd, log=None, env=None):
        """Starts a program in the client; returns (Popen of nsenter, pid of the program)."""
        out = open(log, 'a') if log else subprocess.DEVNULL
        e = {k: v for k, v in os.environ.items() if k in ('PATH', 'LANG')}
        e.update({'LC_ALL': 'C', **(env or {})})
        p = subprocess.Popen(self.enter(*cmd), stdout=out, stderr=subprocess.STDOUT, env=e,
                             stdin=subprocess.DEVNULL)
        self.procs.append(p)
        return p, wait_for('start of ' + cmd[0], lambda: children(p.pid))[0]

    def start_bus(self):
        self.bus, _ = self.start('dbus-daemon', '--config-file=/etc/lab-bus.conf', '--nofork',
                                 log=self.scratch + '/bus.log')
        name = '/proc/%d/root/run/dbus/system_bus_socket' % self.init

        def listens():  # the file is there a moment earlier
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                return s.connect_ex(name) == 0
        wait_for('D-Bus starts', listens)

    def start_nm(self, env=None):
        self.nmlog = self.scratch + '/nm.log'
        self.nm, self.nm_pid = self.start('NetworkManager', '--debug', '--config=/etc/lab-nm.conf',
                                          log=self.nmlog, env=env)
        wait_for('NetworkManager answers: ' + self.nmlog,
                 lambda: self.nmcli('-g', 'RUNNING', 'general', ok=False)[1] == 'running', 15, 0.1)
        if not os.path.exists('/proc/%d/root/run/connections/base.nmconnection' % self.init):
            self.nmcli('connection', 'add', 'type', 'ethernet', 'ifname', 'veth0', 'con-name', 'base',
                       'ipv4.method', 'manual', 'ipv4.addresses', C4 + '/24', 'ipv4.gateway', S4,
                       'ipv4.dns', S4, 'ipv6.method', 'manual', 'ipv6.addresses', C6 + '/64',
                       'ipv6.gateway', S6, 'connection.autoconnect', 'yes')
        wait_for('the base connection', lambda: self.nmcli(
            '-g', 'GENERAL.STATE', 'connection', 'show', 'base', ok=False)[1].startswith('activated') or
            self.nmcli('connection', 'up', 'base', ok=False)[0] == 0, 15, 0.2)
        # newer ones look for a duplicate of the IPv4 address first, after they said "activated"
        wait_for('the address of the base connection', lambda: C4 in self.run(
            'ip', '-4', 'address', 'show', 'dev', 'veth0'), 15, 0.05)

    def close(self):
        if self.stage is None and not os.path.exists(self.scratch):
            return
        for s in list(self.servers.values()):
            s.stop(signal.SIGKILL)
        self.servers = {}
        if self.stage and self.stage.poll() is None:
            for pid in children(self.stage.pid):
                try:
                    os.kill(pid, signal.SIGKILL)  # process 1 of the namespace: takes all others along
                except ProcessLookupError:
                    pass
            stop(self.stage)
        for p in self.procs:
            stop(p)
        for ns in (self.client_ns, self.server_ns):
            sh('ip', 'netns', 'del', ns, ok=False)
        if not self.keep:
            shutil.rmtree(self.scratch, ignore_errors=True)
        self.stage = None

    # -- commands

    def run(self, *cmd, ok=True, timeout=60):
        env = {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb', 'HOME': '/run/state'}
        return sh(*self.enter(*cmd), ok=ok, timeout=timeout, env=env)

    def on_server(self, *cmd, ok=True, timeout=60):
        return sh('ip', 'netns', 'exec', self.server_ns, *cmd, ok=ok, timeout=timeout)

    def nmcli(self, *args, ok=True, timeout=90):
        return self.run('nmcli', *args, ok=ok, timeout=timeout)

    def server(self, name, lines=(), **kw):
        """One server per name, kept running for the scenarios of the group, whichever of them is the first."""
        s = self.servers.get(name)
        check(s is None or s.lines == list(lines), 'the server “%s” has other lines: %s' % (name, s and s.lines))
        if s is None or s.proc is None or s.proc.poll() is not None:
            s = self.servers[name] = Server(self, name, lines, **kw)
        return s

    def drop_server(self, name):
        if name in self.servers:
            self.servers.pop(name).stop(signal.SIGKILL)

    # -- profiles

    def profile(self, server, lines=(), inline=True, cert='client', remote=None):
        """Text of a .ovpn for the server; cert is 'client', None or (certificate, key)."""
        ca = self.pki.ca(server.ca).crt
        files = {'ca': ca}
        if cert:
            files['cert'], files['key'] = self.pki.client(server.ca) if cert == 'client' else cert
        proto = {'udp': 'udp', 'tcp': 'tcp-client', 'udp6': 'udp6', 'tcp6-server': 'tcp6-client'}
        base = ['client', 'dev tun', 'nobind', 'remote %s %d' % (remote or S4, server.port),
                'proto ' + proto.get(server.proto, server.proto)]
        drop = [x[1:] for x in lines if x.startswith('!')]
        base = [x for x in base if x.split()[0] not in drop]
        text = '\n'.join(base + [x for x in lines if not x.startswith('!')]) + '\n'
        for name, path in files.items():
            if name in drop:
                continue
            text += '<%s>\n%s</%s>\n' % (name, pki_module.read(path), name) if inline else \
                '%s %s\n' % (name, path)
        return text

    def import_profile(self, text, name=None, **settings):
        """nmcli connection import; returns the connection's name."""
        self.profiles += 1
        name = name or 'vpn%d' % self.profiles
        path = '%s/%s.ovpn' % (self.scratch, name)
        with open(path, 'w') as f:
            f.write(text)
        self.nmcli('connection', 'import', 'type', VPN_TYPE, 'file', path)
        args = []
        for k, v in settings.items():
            args += [('+vpn.data' if k == 'data' else '+vpn.secrets' if k == 'secrets' else
                      k.replace('__', '.').replace('_', '-')), v]
        if args:
            self.nmcli('connection', 'modify', name, *args)
        return name

    def up(self, name, secrets=None, timeout=30):
        """nmcli connection up; secrets is a dict of NAME: value. Returns (code, output, seconds)."""
        args = ['--wait', str(timeout), 'connection', 'up', name]
        if secrets:
            path = '%s/%s.secrets' % (self.scratch, name)
            with open(path, 'w') as f:
                os.chmod(path, 0o600)
                f.writelines('vpn.secrets.%s:%s\n' % kv for kv in secrets.items())
            args += ['passwd-file', path]
        begin = time.monotonic()
        rc, out = self.nmcli(*args, ok=False, timeout=timeout + 15)
        return rc, out, time.monotonic() - begin

    def down(self, name):
        return self.nmcli('connection', 'down', name, ok=False)

    def delete(self, name):
        self.nmcli('connection', 'delete', name, ok=False)

    def field(self, name, field):
        return self.nmcli('-e', 'no', '-g', field, 'connection', 'show', name).strip()

    def data(self, name):
        out = self.nmcli('-s', '-e', 'no', '-g', 'vpn.data', 'connection', 'show', name)
        return dict(x.strip().split(' = ', 1) for x in re.split(r',\s(?=[a-z0-9-]+ = )', out.strip()) if ' = ' in x)

    # -- observation

    def ip_json(self, *args):
        """What `ip` tells of the client; None when it failed, as for a device that has gone."""
        while True:
            p = subprocess.run(self.enter('ip', '-j', *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               stdin=subprocess.DEVNULL, timeout=120)
            if p.returncode:
                return None
            if 'interrupted' not in p.stderr:  # "Dump was interrupted": something changed meanwhile
                return json.loads(p.stdout or '[]')

    def tunnels(self):
        """{interface name: (addresses, mtu)} of the TUN and TAP devices of the client."""
        found = {}
        for d in self.ip_json('-d', 'addr', 'show') or []:
            if d.get('linkinfo', {}).get('info_kind') == 'tun':
                found[d['ifname']] = ([a['local'] for a in d.get('addr_info', [])], d['mtu'])
        return found

    def device(self, server):
        """The tunnel device that holds an address of the server's network."""
        prefix = server.net4.rsplit('.', 1)[0] + '.'
        return wait_for('a tunnel device with an address in ' + server.net4, lambda: next((
            name for name, (addrs, _) in self.tunnels().items() if any(a.startswith(prefix) for a in addrs)), None))

    def counters(self, dev):
        """Packets that came in and went out over a device of the client."""
        rows = dict(x.split(':', 1) for x in pki_module.read('/proc/%d/net/dev' % self.init).splitlines() if ':' in x)
        row = {k.strip(): v.split() for k, v in rows.items()}.get(dev)
        check(row, 'the device %s is gone' % dev)
        return int(row[1]), int(row[9])

    def echoes(self):
        """Answers to pings that the client's kernel has seen, IPv4 and IPv6."""
        head, row = [x.split() for x in pki_module.read('/proc/%d/net/snmp' % self.init).splitlines()
                     if x.startswith('Icmp:')]
        six = dict(x.split() for x in pki_module.read('/proc/%d/net/snmp6' % self.init).splitlines())
        return int(row[head.index('InEchoReps')]) + int(six['Icmp6InEchoReplies'])

    def ping(self, server, count=3, size=56, target=None, interval='0.02', dev=None):
        """Pings through the tunnel and counts packets on the tunnel device."""
        dev = dev or self.device(server)
        before, echoes = self.counters(dev), self.echoes()
        target = target or server.tun4
        _, out = self.run('ping', '-n', '-I', dev, '-c', str(count), '-i', interval, '-W', '2', '-s', str(size),
                          target, ok=False)
        got = set(map(int, re.findall(r'icmp_seq=(\d+) ttl', out)))
        lost = sorted(set(range(1, count + 1)) - got)
        # ping waits for late answers only twice as long as for the slowest before; the kernel counts them
        if lost:
            wait_for('ping %s: answers %s: %s' % (target, lost, out.replace('\n', ' ')),
                     lambda: self.echoes() - echoes >= count, 2, 0.05)
        rx, tx = (b - a for a, b in zip(before, self.counters(dev)))
        check(rx >= count and tx >= count, 'only %d packets in and %d out on %s' % (rx, tx, dev))
        return count

    def works(self, server, timeout=20):
        """Waits until a ping through the tunnel is answered; returns after how many seconds."""
        begin = time.monotonic()
        wait_for('an answer of ' + server.tun4, lambda: self.run(
            'ping', '-n', '-q', '-c', '1', '-W', '1', server.tun4, ok=False)[0] == 0, timeout, 0.1)
        return time.monotonic() - begin

    @contextlib.contextmanager
    def iperf(self, address):
        """An iperf3 server at an address of the server's host."""
        p = subprocess.Popen(['ip', 'netns', 'exec', self.server_ns, 'iperf3', '-s', '-B', address],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            wait_for('iperf3', lambda: ':5201' in self.on_server('ss', '-ltn'))
            yield
        finally:
            stop(p)

    def mark(self):
        """Position in the logs, for log_since."""
        self.journal.settle()
        return os.path.getsize(self.journal_file), os.path.getsize(self.nmlog)

    def log_since(self, mark=(0, 0), manager=False):
        """What the VPN's programs logged: to the journal, or to the error output shared with NetworkManager,
        whose own lines (<info> ...) are left out unless `manager`."""
        self.journal.settle()
        texts = []
        for path, start in zip((self.journal_file, self.nmlog), mark):
            with open(path, errors='replace') as f:
                f.seek(start)
                texts.append(f.read())
        lines = [x for x in texts[1].splitlines() if manager or not re.match(r'(\w*)<(info|warn|error|debug)> +\[', x)]
        own = [x for x in texts[0].splitlines() if manager or not re.match('NetworkManager <[67]>', x)]
        return '\n'.join(own + lines)

    def programs(self):
        """{pid: name} of the VPN's processes in the client's namespace (pids as seen from outside)."""
        ns, found = os.readlink('/proc/%d/ns/pid' % self.init), {}
        for d in os.listdir('/proc'):
            try:
                if d.isdigit() and os.readlink('/proc/%s/ns/pid' % d) == ns:
                    with open('/proc/%s/cmdline' % d, 'rb') as f:
                        arg0 = os.path.basename(f.read().split(b'\0')[0].decode())
                    if re.match(r'(nm-ovpn|nm-openvpn|openvpn)', arg0):
                        found[int(d)] = arg0
            except OSError:
                pass
        return found

    def quiet(self):
        """Waits for the end of the processes that serve a connection: no line of the log comes from them afterwards."""
        wait_for('the processes of the connection end', lambda: not [
            x for x in self.programs().values() if re.match('nm-ovpn-(engine|helper|signer)', x)], 10, 0.01)

    def snapshot(self):
        """What must be the same before and after a connection."""
        routes = sorted(x.strip() for a in ('-4', '-6') for x in
                        self.run('ip', a, 'route', 'show', 'table', 'all').splitlines()
                        if 'multicast' not in x and 'ff00' not in x and 'fe80' not in x)
        run = '/proc/%d/root/run/' % self.init
        files = sorted(os.path.join(d, f)[len(run):] for d, _, fs in os.walk(run) for f in fs
                       if not re.search(r'run/(NetworkManager|connections|state|dbus|aside|systemd)', d))
        return {'routes': routes, 'tunnels': sorted(self.tunnels()), 'files': files,
                'programs': sorted(self.programs().values())}

    def clean(self, before, timeout=8):
        """Waits until nothing more than before is there (a service may linger for a few seconds)."""
        last = {}

        def same():
            last.update(self.snapshot())
            return all(not (set(last[k]) - set(before[k])) for k in before)
        try:
            wait_for('', same, timeout, 0.1)
        except Failed:
            extra = {k: sorted(set(last[k]) - set(before[k])) for k in before}
            raise Failed('left behind: %s' % {k: v for k, v in extra.items() if v})

    def cycle(self, server, lines=(), secrets=None, inline=True, cert='client', remote=None, ping=True,
              settings=None, then=None, size=56):
        """The usual scenario: import, up, ping, count, `then(name)`, down, nothing left."""
        name = self.import_profile(self.profile(server, lines, inline, cert, remote), **(settings or {}))
        try:
            rc, out, _ = self.up(name, secrets)
            check(rc == 0, 'up: ' + out.split('\n')[0])
            if ping:
                self.ping(server, size=size)
            if then:
                then(name)
            rc, out = self.down(name)
            check(rc == 0, 'down: ' + out)
            wait_for('tunnel gone after down', lambda: not self.tunnels(), 5)
        finally:
            if self.tunnels():
                self.down(name)
            self.delete(name)

    def refused(self, server, lines=(), cause='', nm_reason='', secrets=None, inline=True, cert='client',
                remote=None, settings=None, within=15, text=None):
        """A connection that must fail, in time, with the cause in the log and nothing left."""
        before, mark = self.snapshot(), self.mark()
        name = self.import_profile(text or self.profile(server, lines, inline, cert, remote),
                                   **(settings or {}))
        try:
            rc, out, took = self.up(name, secrets, timeout=within + 10)
            check(rc != 0, 'connected although it must not')
            check(took < within, 'failed only after %.1fs' % took)
            try:
                wait_for('', lambda: re.search(cause, self.log_since(mark), re.I), 1)
            except Failed:
                raise Failed('cause /%s/ not in the log “%s”; nmcli said: %s' % (
                    cause, self.log_since(mark)[-300:].replace('\n', ' | '), out))
            check(re.search(nm_reason, out, re.I), 'nmcli said: ' + out)
            check(not self.tunnels(), 'a tunnel device is left')
            return out
        finally:
            self.down(name)
            self.delete(name)
            before['programs'] = sorted(self.programs().values())
            self.clean(before)


def stock_tree(scratch):
    """Debian's NetworkManager-openvpn unpacked in a folder, never installed; None when it cannot be had."""
    tree = scratch + '/stock'
    if not os.path.isdir(tree):
        get = scratch + '/get'
        os.makedirs(get, exist_ok=True)
        rc, out = sh('sh', '-c', 'cd %s && apt-get download network-manager-openvpn && '
                     'dpkg-deb -x network-manager-openvpn_*.deb %s' % (get, tree), ok=False, timeout=120)
        if rc:
            shutil.rmtree(tree, ignore_errors=True)
            print('cannot get network-manager-openvpn: ' + out.splitlines()[-1], file=sys.stderr)
            return None
    return tree
