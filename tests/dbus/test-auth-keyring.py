#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nm-ovpn-auth-dialog and the person's key ring, on a session bus of its own with a small key ring of ours.

usage: test-auth-keyring.py PROGRAM
Needs dbus-run-session and python3-gi, else skips (77). No display."""
import configparser
import os
import shutil
import subprocess
import sys
import threading

program = os.path.abspath(sys.argv[1])
try:
    from gi.repository import Gio, GLib
except ImportError:
    sys.exit(77)
if not shutil.which('dbus-run-session'):
    sys.exit(77)
if 'KEYRING_INSIDE' not in os.environ:
    env = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    sys.exit(subprocess.run(['dbus-run-session', '--', sys.executable, *sys.argv],
                            env={**env, 'KEYRING_INSIDE': '1', 'LC_ALL': 'C.UTF-8'}).returncode)

UUID = '9f5ed9b5-7c7b-4c36-8e44-3f5d0b9d9c01'
ROOT, ITEM, ASK = '/org/freedesktop/secrets', '/org/freedesktop/secrets/collection/a/1', '/org/freedesktop/secrets/ask'
PARTS = {
    ROOT: '''<interface name="org.freedesktop.Secret.Service">
<method name="SearchItems"><arg type="a{ss}" direction="in"/><arg type="ao" direction="out"/>
<arg type="ao" direction="out"/></method>
<method name="Unlock"><arg type="ao" direction="in"/><arg type="ao" direction="out"/><arg type="o" direction="out"/>
</method>
<method name="OpenSession"><arg type="s" direction="in"/><arg type="v" direction="in"/><arg type="v" direction="out"/>
<arg type="o" direction="out"/></method>
<method name="GetSecrets"><arg type="ao" direction="in"/><arg type="o" direction="in"/>
<arg type="a{o(oayays)}" direction="out"/></method></interface>''',
    ROOT + '/session/1': '<interface name="org.freedesktop.Secret.Session"><method name="Close"/></interface>',
    ASK: '''<interface name="org.freedesktop.Secret.Prompt"><method name="Prompt"><arg type="s" direction="in"/></method>
<signal name="Completed"><arg type="b"/><arg type="v"/></signal></interface>'''}
failed = 0


class KeyRing:
    """One stored secret, {(uuid, setting, key): bytes}; may be locked, and the person may say no."""

    def __init__(self):
        self.stored, self.locked, self.agrees, self.seen, self.open = {}, False, True, [], 0
        self.bus = Gio.bus_get_sync(Gio.BusType.SESSION)
        for path, xml in PARTS.items():
            info = Gio.DBusNodeInfo.new_for_xml('<node>%s</node>' % xml).interfaces[0]
            self.bus.register_object(path, info, self.on_call, None, None)
        Gio.bus_own_name_on_connection(self.bus, 'org.freedesktop.secrets', Gio.BusNameOwnerFlags.NONE, None, None)

    def on_call(self, bus, sender, path, interface, method, args, invocation):
        self.seen.append(method)
        invocation.return_value(getattr(self, method)(*args.unpack()))

    def SearchItems(self, a):
        self.wanted = (a.get('connection-uuid'), a.get('setting-name'), a.get('setting-key'))
        items = [ITEM] if self.wanted in self.stored else []
        return GLib.Variant('(aoao)', ([], items) if self.locked else (items, []))

    def Unlock(self, items):
        return GLib.Variant('(aoo)', ([], ASK))

    def Prompt(self, window):
        GLib.timeout_add(50, self.complete)
        return None

    def complete(self):
        self.locked = not self.agrees
        self.bus.emit_signal(None, ASK, 'org.freedesktop.Secret.Prompt', 'Completed',
                             GLib.Variant('(bv)', (not self.agrees, GLib.Variant('ao', []))))
        return False

    def OpenSession(self, algorithm, data):
        self.open += 1
        return GLib.Variant('(vo)', (GLib.Variant('s', ''), ROOT + '/session/1'))

    def GetSecrets(self, items, session):
        value = self.stored.get(self.wanted)
        found = {} if self.locked or value is None else {ITEM: (session, b'', value, 'text/plain')}
        return GLib.Variant('(a{o(oayays)})', (found,))

    def Close(self):
        self.open -= 1
        return None


def check(what, true, detail=None):
    global failed
    if not true:
        failed += 1
        print('not true: %s: %s' % (what, detail), file=sys.stderr)


DATA = {'connection-type': 'password', 'remote': 'h', 'ca': '/x', 'username': 'joe', 'password-flags': '1'}


def answer(ring, args=('-i',), data=DATA, uuid=UUID):
    """What the dialog answers in external UI mode: {group: {key: value}}, and the calls that the key ring saw."""
    text = ''.join('DATA_KEY=%s\nDATA_VAL=%s\n\n' % kv for kv in data.items()) + 'DONE\n\nQUIT\n\n'
    ring.seen.clear()
    p = subprocess.run([program, '-u', uuid, '-n', 'x', '-s', 'x', '--external-ui-mode', *args], input=text, text=True,
                       capture_output=True, timeout=60)
    check('exit status', p.returncode == 0, p.stderr)
    parser = configparser.RawConfigParser(delimiters=('=',), strict=True)
    parser.optionxform = str
    parser.read_string(p.stdout)
    return parser['password'], list(ring.seen)


def tests(ring):
    group, seen = answer(ring)
    check('nothing stored: asked', group['ShouldAsk'] == 'true' and seen == ['SearchItems'], seen)
    ring.stored[(UUID, 'vpn', 'password')] = 'säved'.encode()
    for args in (('-i',), ()):
        group, seen = answer(ring, args)
        check('stored: given', group['ShouldAsk'] == 'false' and group['Value'] == 'säved', dict(group))
    check('the session is closed', ring.open == 0 and seen[-1] == 'Close', seen)
    for args in (['-i', '-r'], ['-i', '-t', 'password', '-t', 'x-vpn-message:Wrong']):
        group, seen = answer(ring, args)
        check('a wrong one is asked again', group['ShouldAsk'] == 'true' and group['Value'] == '' and not seen, seen)
    for flags in ('0', '2'):
        group, seen = answer(ring, data={**DATA, 'password-flags': flags})
        check('only what agents keep', group['ShouldAsk'] == 'true' and not seen, seen)
    group, seen = answer(ring, uuid=UUID.replace('9', '8'))
    check('another connection', group['ShouldAsk'] == 'true' and seen == ['SearchItems'], seen)
    group, seen = answer(ring, uuid='x')
    check('no connection', group['ShouldAsk'] == 'true' and not seen, seen)
    ring.locked = True
    group, seen = answer(ring, ())
    check('locked, without -i', group['Value'] == '' and seen == ['SearchItems'], seen)
    ring.agrees = False
    group, seen = answer(ring)
    check('the person says no', group['ShouldAsk'] == 'true' and 'Prompt' in seen, seen)
    ring.agrees = True
    group, seen = answer(ring)
    check('unlocked', group['Value'] == 'säved', seen)
    for odd in (b'', b'a\0b', b'\xff'):
        ring.stored[(UUID, 'vpn', 'password')] = odd
        group, seen = answer(ring)
        check('not a text: %r' % odd, group['ShouldAsk'] == 'true', dict(group))


ring, loop = KeyRing(), GLib.MainLoop()


def run():
    try:
        tests(ring)
    except Exception as e:  # the loop must end
        check('no exception', False, repr(e))
    GLib.idle_add(loop.quit)


threading.Thread(target=run, daemon=True).start()
loop.run()
sys.exit(1 if failed else 0)
