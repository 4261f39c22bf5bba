# SPDX-License-Identifier: GPL-2.0-or-later
"""GNOME Shell itself asks for the password, with our words. Run by `tests/gnome/run --shell`; needs Debian's
gnome-shell (43 or newer), which runs without a display here. The Shell does not ask without a key ring on the session
bus, so there is an empty one."""
import os
import subprocess
import sys

import atspi as A
from session import NAME, check, connected, nmcli

SCENARIOS = []
KEYRING = '''
from gi.repository import Gio, GLib
XML = """<node><interface name="org.freedesktop.Secret.Service"><method name="SearchItems">
<arg type="a{ss}" direction="in"/><arg type="ao" direction="out"/><arg type="ao" direction="out"/></method>
</interface></node>"""
bus = Gio.bus_get_sync(Gio.BusType.SESSION)
bus.register_object("/org/freedesktop/secrets", Gio.DBusNodeInfo.new_for_xml(XML).interfaces[0],
                    lambda *a: a[-1].return_value(GLib.Variant("(aoao)", ([], []))), None, None)
Gio.bus_own_name_on_connection(bus, "org.freedesktop.secrets", Gio.BusNameOwnerFlags.NONE, None, None)
GLib.MainLoop().run()
'''


def scenario(f):
    SCENARIOS.append((f.__name__.replace('_', '-'), f))
    return f


def has_name(name):
    out = subprocess.run(['gdbus', 'call', '--session', '-d', 'org.freedesktop.DBus', '-o', '/', '-m',
                          'org.freedesktop.DBus.NameHasOwner', name], stdout=subprocess.PIPE, text=True).stdout
    return 'true' in out


def question(app):
    """The field of the modal dialog that is shown now."""
    return next((x for x in A.matches(app, None, ('password text',)) if A.has(x, A.Atspi.StateType.FOCUSED)), None)


def words(app):
    return [A.name(x) for x in A.matches(app, None, ('label',)) if A.visible(x)]


def answer(app, text):
    field = A.wait('field for the password', lambda: question(app), 60)
    A.set_text(field, text)
    A.press(field)  # as Enter does; the Shell's buttons have no action for assistive technology


@scenario
def shell_asks(s, job):
    """A wrong password is asked again, with the server's answer; the right one connects."""
    os.environ.update(XDG_SESSION_TYPE='wayland', LIBGL_ALWAYS_SOFTWARE='1')
    os.environ.pop('GDK_BACKEND', None)
    s.start(sys.executable, '-c', KEYRING)
    A.wait('key ring', lambda: has_name('org.freedesktop.secrets'))
    s.start('gnome-shell', '--headless', '--virtual-monitor', '1280x800', '--no-x11')
    A.wait('GNOME Shell', lambda: has_name('org.gnome.Shell'), 60)
    app = A.application('gnome-shell', 60)
    nmcli('connection', 'import', 'type', 'openvpn', 'file', job['work'])
    nmcli('connection', 'modify', NAME, '+vpn.data', 'username=alice', '+vpn.data', 'password-flags=2')

    def asked():  # the Shell becomes an agent some seconds after its start
        up = s.start('nmcli', '--wait', '60', 'connection', 'up', NAME)
        A.wait('an answer', lambda: question(app) or up.poll() is not None, 60)
        return up if question(app) else None
    up = A.wait('the Shell asks', asked, 60)
    seen = words(app)
    check('Sign in to “work”' in seen and any(x.startswith('The VPN connection “work” needs') for x in seen), seen)
    answer(app, 'nope')
    A.wait('the question again', lambda: any(x.startswith('The server rejected') for x in words(app)), 60)
    answer(app, 'secret')
    A.wait('the connection is up', lambda: up.poll() is not None, 60)
    check(up.returncode == 0 and connected(), 'not connected')
