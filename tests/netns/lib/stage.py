# SPDX-License-Identifier: GPL-2.0-or-later
"""Process 1 of the client: prepares the private mount namespace, then only reaps orphans.

Called as: ip netns exec CLIENT unshare --mount --pid --fork ... stage.py SCRATCH TREE
SCRATCH/etc holds the files to be seen in /etc; TREE is an installation made with --destdir (usr, etc).
Nothing is written outside the namespace: the root file system is seen through read-only layers."""
import os
import signal
import subprocess
import sys


def mount(*args):
    return subprocess.run(('mount',) + args, stderr=subprocess.PIPE, text=True)


def bind_files(source, target):
    """Without overlayfs: each file alone over an empty file of the same name, in a copy of the folder."""
    for folder, _, files in os.walk(source):
        real = target + folder[len(source):]
        new = [f for f in files if not os.path.exists(os.path.join(real, f))]
        if new or not os.path.isdir(real):
            graft(real, folder)
        for f in files:
            if f not in new:
                mount('--bind', os.path.join(folder, f), os.path.join(real, f)).check_returncode()


GRAFTED = set()


def graft(real, folder):
    """A tmpfs over `real` with links to what was there (moved aside) and to what is new."""
    parent = real
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    aside = '/run/aside' + parent
    if parent not in GRAFTED:  # a second time the links would lead to themselves
        os.makedirs(aside, exist_ok=True)
        mount('--bind', parent, aside).check_returncode()
        mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', parent).check_returncode()
        for name in os.listdir(aside):
            os.symlink(os.path.join(aside, name), os.path.join(parent, name))
    GRAFTED.add(parent)
    os.makedirs(real, exist_ok=True)
    for name in os.listdir(folder):
        source, target = os.path.join(folder, name), os.path.join(real, name)
        if os.path.isfile(source) and not os.path.lexists(target):
            with open(source, 'rb') as i, open(target, 'wb') as o:
                o.write(i.read())
            os.chmod(target, os.stat(source).st_mode & 0o7777)


def layer(source, target):
    if not os.path.isdir(source):
        return
    p = mount('-t', 'overlay', 'overlay', '-o', 'ro,lowerdir=%s:%s' % (source, target), target)
    if p.returncode:
        bind_files(source, target)


def main():
    scratch, tree = sys.argv[1:3]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mount('-o', 'remount,ro,bind', '/sys').check_returncode()
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run').check_returncode()
    for d in ('dbus', 'NetworkManager', 'connections', 'udev'):
        os.mkdir('/run/' + d)
    os.mkdir('/run/state')
    mount('--bind', '/run/state', '/var/lib/NetworkManager').check_returncode()
    layer(tree + '/usr', '/usr')
    layer(tree + '/etc', '/etc')
    layer(scratch + '/etc', '/etc')
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print('ready', flush=True)
    while True:
        signal.pause()


main()
