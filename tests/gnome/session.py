# SPDX-License-Identifier: GPL-2.0-or-later
"""A private desktop session inside the client of the lab: session bus, window manager, GNOME Settings.

The display comes from outside ($DISPLAY). Everything else, also the home folder, lies on the client's own /run, and
ends with the client. Keys and the mouse are those of xdotool; all else goes over AT-SPI."""
import os
import shutil
import subprocess
import time

import atspi as A

RUN = '/run/gnome'
HOME = RUN + '/home'
NAME = 'work'  # the connection of the scenarios
# as GNOME Settings 43 and newer ones say it
ADD = ('Add connection', 'Add Connection', 'Add VPN', 'Add VPN Connection')
OPTIONS = ('Options…', 'Options', 'VPN Options', 'Connection Options')
KINDS = ('OpenVPN', 'WireGuard', 'Import from file…')


class Failed(Exception):
    """A scenario's expectation did not hold."""


def check(cond, why):
    if not cond:
        raise Failed(why)


def environment():
    env = {k: v for k, v in os.environ.items() if k in ('PATH', 'DISPLAY')}
    env.update(HOME=HOME, XDG_RUNTIME_DIR=RUN, DBUS_SESSION_BUS_ADDRESS='unix:path=%s/bus' % RUN, LC_ALL='C.UTF-8',
               XDG_CURRENT_DESKTOP='GNOME', GDK_BACKEND='x11', GSK_RENDERER='cairo', GSETTINGS_BACKEND='memory',
               XDG_DATA_DIRS='/usr/share')
    return env


def nmcli(*args, ok=True):
    p = subprocess.run(('nmcli',) + args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    check(p.returncode == 0 or not ok, 'nmcli %s: %s' % (' '.join(args), p.stdout))
    return p.stdout.strip()


def data(name):
    """{key: value} of vpn.data; values hold no ', '."""
    text = nmcli('-e', 'no', '-g', 'vpn.data', 'connection', 'show', name)
    return dict(x.strip().split(' = ', 1) for x in text.split(', ') if ' = ' in x)


def connected():
    return nmcli('-g', 'GENERAL.STATE', 'connection', 'show', NAME, ok=False) == 'activated'


class Session:
    def __init__(self, shots, log):
        self.shots, self.settings = shots, None
        os.makedirs(HOME + '/.config/gtk-4.0')
        os.chmod(RUN, 0o700)
        self.write('.config/gtk-4.0/settings.ini', '[Settings]\ngtk-font-name=Cantarell 11\ngtk-enable-animations=0\n')
        os.environ.update(environment())
        self.log = open(log, 'a')
        self.start('dbus-daemon', '--session', '--address=' + os.environ['DBUS_SESSION_BUS_ADDRESS'], '--nofork',
                   '--nopidfile')
        A.wait('session bus', lambda: os.path.exists(RUN + '/bus'))
        if os.environ.get('DISPLAY'):
            self.start_manager()
        elif shutil.which('weston'):
            self.start_compositor()

    def start_manager(self):
        """Once in a while one ends at once, when the display is still busy with itself."""
        manager = self.start('openbox')

        def ready():
            nonlocal manager
            if manager.poll() is not None:
                manager = self.start('openbox')
                time.sleep(0.5)
            return subprocess.run(['xdotool', 'get_desktop'], stdout=self.log, stderr=self.log).returncode == 0
        A.wait('window manager', ready, 30)

    def start_compositor(self):
        """Wayland without any display; there are no keys and no pictures then."""
        os.environ.update(GDK_BACKEND='wayland', WAYLAND_DISPLAY='wayland-lab')
        self.shots = None
        self.start('weston', '--backend=headless-backend.so', '--socket=wayland-lab', '--width=1280', '--height=1024')
        A.wait('the compositor', lambda: os.path.exists(RUN + '/wayland-lab'))

    def start(self, *cmd):
        return subprocess.Popen(cmd, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    @staticmethod
    def write(name, text):
        path = '%s/%s' % (HOME, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def open_settings(self):
        """The main window; it stays open from one scenario to the next unless one failed."""
        if not self.settings or self.settings.poll() is not None:
            self.settings = self.start('gnome-control-center', 'network')
        self.app = A.application('gnome-control-center')
        self.main = self.window('Settings', 'Network')
        self.button(self.main, *ADD)

    def close_settings(self):
        if self.settings:
            self.settings.terminate()
            try:
                self.settings.wait(5)
            except subprocess.TimeoutExpired:
                self.settings.kill()
                self.settings.wait()
        self.settings = None

    def close_windows(self):
        def closed():
            others = [w for w in self.windows() if A.name(w) not in ('Settings', 'Network')]
            for w in others[-1:]:
                for b in A.find_all(w, None, A.BUTTONS):
                    if A.name(b).endswith(('Cancel', 'OK')):
                        A.press(b)
                        break
                else:
                    self.keys('Escape')
            return not others
        A.wait('the windows are closed', closed)

    def picture(self, name):
        if self.shots:
            time.sleep(0.4)
            subprocess.run(['import', '-window', 'root', '%s/%s.png' % (self.shots, name)], check=False)

    # -- keys

    @staticmethod
    def keys(*names):
        if not os.environ.get('DISPLAY'):
            raise A.Missing('keys: on Wayland only the compositor could press them')
        for k in names:
            subprocess.run(['xdotool', 'key', k], check=True)
            time.sleep(0.15)

    @staticmethod
    def type(text):
        subprocess.run(['xdotool', 'type', '--delay', '12', text], check=True)

    # -- what GNOME Settings has

    def windows(self):
        self.app.clear_cache()
        found = [self.app.get_child_at_index(i) for i in range(self.app.get_child_count())]
        return [w for w in found if w]

    def window(self, *titles):
        def look():
            return next((w for w in self.windows() if any(A.name(w).startswith(t) for t in titles)), None)
        return A.wait('window ' + ' or '.join(titles), look)

    def editor_window(self, name):
        """The window of a new connection, or of the one with that name."""
        w = self.window('Add VPN', name)
        A.find(w, 'Identity', ('label',))
        if A.find_all(w, 'Details', ('label',)) and os.environ.get('DISPLAY'):
            self.keys('Tab', 'ctrl+Next')  # its details are shown first
        A.find(w, prefix='Host of server 1', roles=A.TEXTS)
        return w

    def add(self, kind):
        """Opens "Add VPN" and its row of that title. Rows cannot be pressed over AT-SPI; versions differ in their
        number and order."""
        A.press(self.button(self.main, *ADD))
        A.find(lambda: self.window('Add VPN'), kind, ('label',))
        titles = [A.name(x) for x in A.find_all(self.window('Add VPN'), None, ('label',)) if A.name(x) in KINDS]
        time.sleep(0.3)
        self.keys(*(['Down'] * titles.index(kind) + ['Return']))

    def import_file(self, path):
        self.add('Import from file…')
        dialog = A.wait('the file dialog', lambda: self.window('Select file to import'))
        self.give_path(dialog, path)
        A.press(self.button(dialog, 'Open'))

    def give_path(self, dialog, path):
        """A file dialog has a field for a path from the first “/” on."""
        def typed():
            fields = [x for x in A.find_all(dialog, None, A.TEXTS) if A.visible(x) and A.text(x).startswith('/')]
            if not fields:
                self.keys('slash')
            elif A.text(fields[0]) == path:
                return True
            else:
                A.set_text(fields[0], path)
            return False
        time.sleep(0.5)
        A.wait('the field for a path', typed)
        time.sleep(0.3)

    def options(self, name):
        """Opens the window of a connection in the list."""
        row = self.row(name)
        A.press(self.button(row, *OPTIONS))
        return self.editor_window(name)

    def row(self, name):
        def look():
            for label in A.find_all(self.main, None, ('label',)):
                if A.name(label) in (name, name + ' VPN'):
                    node = label.get_parent()
                    while node and not any(A.name(b) in OPTIONS for b in A.find_all(node, None, A.BUTTONS)):
                        node = node.get_parent()
                    return node
            return None
        return A.wait('row of ' + name, look)

    @staticmethod
    def button(window, *names):
        """The one that saves is called Add or Apply, and on some versions with its mark: “_Apply Apply”."""
        def look():
            for b in A.find_all(window, None, A.BUTTONS):
                if any(A.name(b) == n or A.name(b).endswith(' ' + n) for n in names):
                    return b
            return None
        try:
            return A.wait('', look)
        except A.Missing:
            seen = [A.name(b) for b in A.find_all(window, None, A.BUTTONS)]
            raise A.Missing('no button %s, but %s' % (' or '.join(names), seen))

    def save_button(self, window):
        return self.button(window, 'Add', 'Apply')

    @staticmethod
    def choose(window, list_name, item):
        """An item of a drop-down list, by its toggle button and the keys."""
        box = A.find(window, list_name)
        names = [A.name(x) for x in A.find_all(box, None, ('label',))]
        if item in names:
            return
        again = 0.0

        def opened():
            nonlocal again
            if A.find_all(box, item, ('label',)):
                return True
            if time.monotonic() > again:  # a page that scrolls at that moment closes the list
                A.press(next(A.matches(box, None, A.BUTTONS)))
                again = time.monotonic() + 4
            return False
        A.wait('items of ' + list_name, opened)
        time.sleep(0.2)
        Session.keys('Home')
        for _ in range(12):
            if Session.pick_focused(box, item):
                break
            Session.keys('Down')
        Session.keys('Return')
        A.wait('choice of ' + item, lambda: item in [A.name(x) for x in A.find_all(box, None, ('label',))])

    @staticmethod
    def pick_focused(box, item):
        for node in A.walk(box):
            if A.has(node, A.Atspi.StateType.FOCUSED) and A.find_all(node, item, ('label',)):
                return True
        return False
