# SPDX-License-Identifier: GPL-2.0-or-later
"""The other programs of desktops that show our words: nm-applet (asks for passwords) and nm-connection-editor (GTK 3,
cannot show the editor). Run by `tests/gnome/run --others`; needs Debian's network-manager-gnome."""
import os
import subprocess

import atspi as A
from session import HOME, NAME, check, connected, data, nmcli

SCENARIOS = []
DIALOGS = ('dialog', 'frame', 'alert')


def scenario(f):
    SCENARIOS.append((f.__name__.replace('_', '-'), f))
    return f


class Program:
    """A program of the session; ends with the `with` block."""

    def __init__(self, s, *cmd, env=None):
        self.s, self.cmd, self.env = s, cmd, env

    def __enter__(self):
        self.p = subprocess.Popen(self.cmd, stdout=self.s.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  env={**os.environ, **(self.env or {})})
        return self.p

    def __exit__(self, *unused):
        self.p.terminate()
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


def asked(job, **data):
    """The connection, whose password is asked each time, and `nmcli connection up` waiting for it."""
    nmcli('connection', 'import', 'type', 'openvpn', 'file', job['work'])
    args = []
    for k, v in {'username': 'alice', 'password-flags': '2', **data}.items():
        args += ['+vpn.data', '%s=%s' % (k.replace('_', '-'), v)]
    nmcli('connection', 'modify', NAME, *args)


def up(s):
    return Program(s, 'nmcli', '--wait', '60', 'connection', 'up', NAME)


def agent_is_there():
    """Agents register at NetworkManager once they are started; what comes before goes unasked."""
    A.wait('nm-applet is an agent', lambda: A.application('nm-applet', 1), 20)
    A.time.sleep(2)


def dialog_of(program):
    app = A.application(program)

    def look():
        app.clear_cache()
        for i in range(app.get_child_count()):
            w = app.get_child_at_index(i)
            if w and A.role(w) in DIALOGS and [x for x in A.matches(w, None, A.TEXTS) if A.visible(x)]:
                return w
        return None
    return A.wait('window of ' + program, look, 30)


def answer(s, window, text, *buttons):
    A.set_text(A.wait('field for the password', lambda: [x for x in A.matches(window, None, A.TEXTS)
                                                         if A.visible(x)])[0], text)
    button = s.button(window, *buttons)
    A.wait('the button', lambda: A.sensitive(button))
    A.press(button)


@scenario
def nm_applet_asks(s, job):
    """In nm-applet's own window, with our words (external UI mode); a wrong password is asked again."""
    asked(job)
    with Program(s, 'nm-applet'):
        agent_is_there()
        with up(s) as p:
            w = dialog_of('nm-applet')
            A.find(w, prefix='The VPN connection “work” needs', roles=('label',))
            s.picture('applet')
            answer(s, w, 'nope', 'OK')
            A.wait('the question again', lambda: A.matches(dialog_of('nm-applet'), None, ('label',),
                                                           'The server rejected'), 30)
            w = dialog_of('nm-applet')
            A.find(w, prefix='The server rejected the user name or password', roles=('label',))
            s.picture('applet-again')
            answer(s, w, 'secret', 'OK')
            check(p.wait(60) == 0 and connected(), 'not connected')


@scenario
def nm_applet_with_our_window(s, job):
    """An agent without external UI mode runs our own window."""
    asked(job)
    folder = HOME + '/vpn'
    os.makedirs(folder, exist_ok=True)
    with open('/usr/lib/NetworkManager/VPN/nm-ovpn-service.name') as f:
        text = f.read()
    with open(folder + '/nm-ovpn-service.name', 'w') as f:
        f.write(text.replace('supports-external-ui-mode=true', 'supports-external-ui-mode=false'))
    with Program(s, 'nm-applet', env={'NM_VPN_PLUGIN_DIR': folder}):
        agent_is_there()
        with up(s) as p:
            w = dialog_of('nm-ovpn-auth-dialog')
            s.picture('applet-window')
            answer(s, w, 'secret', 'Connect')
            check(p.wait(60) == 0 and connected(), 'not connected')


@scenario
def nm_connection_editor_imports(s, job):
    """GTK 3: a sentence instead of the editor; importing, the other pages and exporting work."""
    with Program(s, 'nm-connection-editor', '--import=' + job['work']):
        app = A.application('nm-connection-editor')
        A.find(app, prefix='The editor of this VPN plugin needs a program that uses GTK 4', roles=('label',))
        s.picture('notice')
        w = next(x for x in A.matches(app, None, ('frame', 'dialog'), 'Editing'))
        save = s.button(w, 'Save')
        A.wait('Save can be pressed', lambda: A.sensitive(save))
        A.press(save)
        A.wait('the connection', lambda: NAME in nmcli('-g', 'NAME', 'connection').splitlines())
    kept = data(NAME)
    check(kept.get('remote-cert-tls') == 'server' and kept.get('ca', '').startswith('data:'), 'saved: %s' % kept)
    with Program(s, 'nm-connection-editor', '--edit=' + nmcli('-g', 'connection.uuid', 'connection', 'show', NAME)):
        app = A.application('nm-connection-editor')
        w = A.wait('window', lambda: next(A.matches(app, None, ('frame', 'dialog'), 'Editing'), None))
        export = s.button(w, 'Export…')
        A.wait('Export can be pressed', lambda: A.sensitive(export))
        A.press(export)
        dialog = A.wait('the file dialog', lambda: next(A.matches(
            app, None, ('file chooser', 'dialog'), 'Export'), None))
        s.picture('export')
        s.keys('ctrl+a')
        s.type(HOME + '/exported.ovpn')
        A.press(s.button(dialog, 'Save'))
        A.wait('the file', lambda: os.path.exists(HOME + '/exported.ovpn'))
    with open(HOME + '/exported.ovpn') as f:
        text = f.read()
    check('<ca>' in text and 'remote-cert-tls server' in text, text)
