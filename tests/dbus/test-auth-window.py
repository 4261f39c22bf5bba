#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The window of nm-ovpn-auth-dialog under a display and an accessibility bus of its own.

usage: test-auth-window.py PROGRAM [FOLDER for pictures]
What is checked is what a screen reader is told and what a keyboard does; needs Xvfb, xdotool, python3-gi with
Atspi and at-spi2-core, else skips (77)."""
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

program = os.path.abspath(sys.argv[1])
pictures = sys.argv[2] if len(sys.argv) > 2 else None
needed = ('Xvfb', 'xvfb-run', 'dbus-run-session', 'xdotool', 'openbox')
try:
    import gi
    gi.require_version('Atspi', '2.0')
    from gi.repository import Atspi, GLib
except (ImportError, ValueError):
    sys.exit(77)
if not all(shutil.which(x) for x in needed):
    sys.exit(77)
if 'AUTH_WINDOW_INSIDE' not in os.environ:
    home = tempfile.mkdtemp(prefix='nm-ovpn-window-')
    os.chmod(home, 0o700)
    env = {**os.environ, 'AUTH_WINDOW_INSIDE': '1', 'HOME': home, 'XDG_RUNTIME_DIR': home, 'LC_ALL': 'C.UTF-8',
           'GDK_BACKEND': 'x11', 'GSETTINGS_BACKEND': 'memory', 'GSK_RENDERER': 'cairo', 'NO_AT_BRIDGE': '0'}
    for name in ('WAYLAND_DISPLAY', 'GTK_A11Y', 'DBUS_SESSION_BUS_ADDRESS'):
        env.pop(name, None)
    code = subprocess.run(['xvfb-run', '-a', '-s', '-screen 0 800x600x24', 'dbus-run-session', '--', sys.executable,
                           *sys.argv], env=env).returncode
    shutil.rmtree(home, ignore_errors=True)
    sys.exit(code)

failed = 0
manager = subprocess.Popen(['openbox'], stderr=subprocess.DEVNULL)
PASSWORD = {'connection-type': 'password', 'remote': 'h', 'ca': '/x', 'username': 'joe', 'password-flags': '1'}


def check(what, true, detail=''):
    global failed
    if not true:
        failed += 1
        print('not true: %s: %s' % (what, detail), file=sys.stderr)


def settle(seconds=0.0):
    """Lets the accessibility bus's cache catch up."""
    end = time.monotonic() + seconds
    context = GLib.MainContext.default()
    while context.iteration(False) or time.monotonic() < end:
        time.sleep(0.005)


def wait_for(what, f, timeout=60):
    """Also where a key was pressed or a window came: what is shown follows in its own time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        settle(0.02)
        try:
            value = f()
        except GLib.Error:
            value = None
        if value:
            return value
    check(what, False, 'timed out%s' % (': ' + w.texts() if 'w' in globals() else ''))
    return None


def walk(node):
    yield node
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child:
            yield from walk(child)


class Window:
    def __init__(self, args, data=PASSWORD, secrets=None, env=None):
        text = ''.join('DATA_KEY=%s\nDATA_VAL=%s\n\n' % kv for kv in data.items())
        text += ''.join('SECRET_KEY=%s\nSECRET_VAL=%s\n\n' % kv for kv in (secrets or {}).items())
        self.child = subprocess.Popen([program, '-u', 'x', '-n', 'Büro', '-s', 'x', '-i', *args], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env={**os.environ, **(env or {})})
        self.child.stdin.write(text + 'DONE\n\n')
        self.child.stdin.flush()
        self.root = wait_for('window', self.find_root)
        wait_for('widgets', lambda: len(self.named()) > 3)
        wait_for('the keyboard', lambda: subprocess.run(['xdotool', 'getactivewindow', 'getwindowpid'], text=True,
                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip() == str(self.child.pid))
        settle(0.3)

    def find_root(self):
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            app = desktop.get_child_at_index(i)
            if app and app.get_process_id() == self.child.pid and app.get_child_count():
                return app.get_child_at_index(0)
        return None

    def named(self):
        found = {}
        for node in walk(self.root):
            name = node.get_name()
            if name and node.get_state_set().contains(Atspi.StateType.VISIBLE):
                found.setdefault(name, []).append(node)
        return found

    def node(self, name, *roles):
        for n in self.named().get(name, []):
            if not roles or n.get_role_name() in roles:
                return n
        return None

    def sensitive(self, name):
        n = self.node(name, 'push button', 'button')
        return bool(n) and n.get_state_set().contains(Atspi.StateType.SENSITIVE)

    def texts(self):
        return ' | '.join(self.named())

    def picture(self, name):
        if pictures:
            os.makedirs(pictures, exist_ok=True)
            settle(0.3)
            subprocess.run(['import', '-window', 'root', '%s/auth-%s.png' % (pictures, name)], check=False)

    def end(self):
        """(exit status, what was printed)"""
        try:
            self.child.wait(0.3)
        except subprocess.TimeoutExpired:
            pass
        out = b''
        while not out.endswith(b'\n\n\n') and select.select([self.child.stdout], [], [], 60)[0]:
            data = os.read(self.child.stdout.fileno(), 4096)
            if not data:
                break
            out += data
        if self.child.poll() is None:
            self.child.stdin.write('QUIT\n\n')
            self.child.stdin.flush()
        self.child.stdin.close()
        try:
            return self.child.wait(60), out.decode()
        except subprocess.TimeoutExpired:
            self.child.kill()
            return 'it did not end', out.decode()


def key(*names):
    subprocess.run(['xdotool', *[x for n in names for x in ('key', n)]], check=False)
    settle(0.15)


def write(text):
    subprocess.run(['xdotool', 'type', '--delay', '5', text], check=False)
    settle(0.15)


def click(node):
    Atspi.Action.do_action(node, 0)
    settle(0.1)


wait_for('the window manager', lambda: not subprocess.run(['xdotool', 'get_num_desktops'], stdout=subprocess.DEVNULL,
                                                         stderr=subprocess.DEVNULL).returncode)

# one password: the field has a name and the focus, Connect only when filled, Enter connects
w = Window([])
wait_for('title', lambda: w.root.get_name() == 'Sign in to “Büro”')
wait_for('the field has a name', lambda: w.node('Password'))
wait_for('message', lambda: 'The VPN connection “Büro” needs the following to sign in.' in w.texts())
check('nothing is accepted while it is empty', not w.sensitive('Connect'), w.texts())
w.picture('empty')
key('Return')
check('Enter in an empty field', w.child.poll() is None)
write('s3 cret')
wait_for('Connect when filled', lambda: w.sensitive('Connect'))
w.picture('password')
key('Return')
check('Enter connects', w.end() == (0, 'password\ns3 cret\n\n\n'))

# Escape
w = Window([])
key('Escape')
check('Escape cancels', w.end() == (1, ''))

# a wrong password is said in words; the button of the window
w = Window(['-t', 'password', '-t', 'x-vpn-message:The server rejected the user name or password: account locked'],
           secrets={'password': 'old'})
wait_for('the reason', lambda: 'rejected the user name or password: account locked' in w.texts())
check('the refused password is not suggested', not w.sensitive('Connect'))
w.picture('wrong')
click(w.node('Cancel', 'push button', 'button'))
check('Cancel', w.end() == (1, ''))

# several questions: Enter leads through them
w = Window([], {**{k: v for k, v in PASSWORD.items() if k != 'username'}, 'cert': '/c', 'key': '/k',
                'connection-type': 'password-tls', 'proxy-type': 'http', 'proxy-server': 'p', 'proxy-port': '1',
                'default-route': 'auto', 'http-proxy-username': 'u',
                'extra-options': 'static-challenge "Number on your token" 1'})
for name in ('User name', 'Password', 'Number on your token', 'Proxy password'):
    wait_for('field ' + name, lambda: w.node(name))
for text in ('joe', 'pw', '123456', 'px'):
    write(text)
    if text != 'px':
        check('not complete', not w.sensitive('Connect'))
        key('Return')
w.picture('many')
wait_for('complete', lambda: w.sensitive('Connect'))
key('Return')
code, out = w.end()
check('all answers', code == 0 and out == 'username\njoe\npassword\npw\nchallenge-response\n123456\n'
      'http-proxy-password\npx\n\n\n', out)

# key pass phrase
w = Window(['-t', 'cert-pass', '-t', 'x-vpn-message:The private key is protected by a password.'])
wait_for('pass phrase', lambda: w.node('Private key password'))
key('Escape')
w.end()

# dynamic challenge, seen and unseen
for hint, secret in (('x-dynamic-challenge-echo:challenge-response', False), ('challenge-response', True)):
    w = Window(['-t', hint, '-t', 'x-vpn-message:Enter the code we sent to you'], secrets={'password': 'p'})
    wait_for('question', lambda: 'Enter the code we sent to you' in w.texts())
    write('42')
    w.picture('challenge-hidden' if secret else 'challenge')
    key('Return')
    code, out = w.end()
    check('answer', code == 0 and '%s\n42\n' % hint in out, out)

# a page to open
page = 'https://login.example.org/vpn?ticket=' + 'abcdef0123456789' * 4
w = Window(['-t', 'x-nm-ovpn-browser', '-t', 'challenge-response', '-t',
            'x-vpn-message:Sign in with a browser to connect. Open this page:\n' + page])
wait_for('button', lambda: w.sensitive('Open Browser'))
wait_for('page', lambda: w.node('Page to sign in at') and w.node('Copy the address'))
check('nothing else is asked', not w.node('No answer is needed here'), w.texts())
w.picture('browser')
click(w.node('Copy the address', 'push button', 'button'))
wait_for('copied', lambda: 'The address was copied.' in w.texts())
click(w.node('Open Browser', 'push button', 'button'))
if os.geteuid() == 0:
    wait_for('never for root', lambda: 'No browser could be started' in w.texts())
check('the window stays', w.child.poll() is None)
w.picture('browser-after')
w.child.stdin.write('QUIT\n\n')
w.child.stdin.flush()
check('goes when the agent says so', w.child.wait(60) == 1)

# only patience; much text
w = Window(['-t', 'x-nm-ovpn-patience', '-t', 'challenge-response', '-t',
            'x-vpn-message:The server waits 45 seconds for the sign-in to be confirmed, for example on a phone.'])
wait_for('nothing to press but Cancel', lambda: w.node('Cancel') and not w.node('Connect'))
w.picture('patience')
key('Escape')
check('patience ends', w.end() == (1, ''))
w = Window(['-t', 'password', '-t', 'x-vpn-message:' + 'The <b>server</b> has much to say. ' * 60])
wait_for('markup is text', lambda: '<b>server</b>' in w.texts())
w.picture('long')
key('Escape')
w.end()
w = Window([], env={'ADW_DEBUG_COLOR_SCHEME': 'prefer-dark'})
w.picture('dark')
key('Escape')
w.end()

manager.terminate()
sys.exit(1 if failed else 0)
