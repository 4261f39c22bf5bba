#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nm-ovpn-auth-dialog over pipes, as nmcli, GNOME Shell and nm-applet run it (no display needed)."""
import configparser
import os
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]
failed = 0
base = ["-u", "00000000-0000-0000-0000-000000000000", "-n", "Büro", "-s", "org.freedesktop.NetworkManager.openvpn"]
environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
environment["LC_ALL"] = "C.UTF-8"


def profile(data, secrets):
    text = "".join(f"DATA_KEY={k}\nDATA_VAL={v}\n\n" for k, v in data.items())
    text += "".join(f"SECRET_KEY={k}\nSECRET_VAL={v}\n\n" for k, v in secrets.items())
    return text + "DONE\n\n"


def run(args, data, secrets=None, tail="QUIT\n\n"):
    return subprocess.run([program, *base, *args], input=profile(data, secrets or {}) + tail, text=True,
                          capture_output=True, timeout=60, env=environment)


def check(what, true, detail=None):
    global failed
    if not true:
        failed += 1
        print(f"not true: {what}: {detail}", file=sys.stderr)


def external(args, data, secrets=None):
    result = run(["--external-ui-mode", *args], data, secrets)
    check(f"exit status with {args}", result.returncode == 0, result.stderr)
    parser = configparser.RawConfigParser(delimiters=("=",), strict=True)
    parser.optionxform = str
    parser.read_string(result.stdout)
    check("first group", parser.sections()[:1] == ["VPN Plugin UI"], result.stdout)
    for key in ("Version", "Title", "Description"):
        check(key, parser["VPN Plugin UI"].get(key), result.stdout)
    return {name: dict(parser[name]) for name in parser.sections()}


def asked(groups):
    return sorted(name for name, group in groups.items() if group.get("ShouldAsk") == "true")


password = {"connection-type": "password", "remote": "h", "ca": "/x", "username": "joe", "password-flags": "1"}

groups = external(["-i"], password)
check("password is asked", asked(groups) == ["password"], groups)
check("fields", groups["password"]["IsSecret"] == "true" and groups["password"]["Value"] == "", groups)
groups = external([], password)
check("nothing is asked without -i", asked(groups) == [] and "password" in groups, groups)
groups = external(["-i"], password, {"password": "s3 cret\\"})
check("known password is given", asked(groups) == [] and groups["password"]["Value"] == "s3\\scret\\\\" or
      groups["password"]["Value"] == "s3 cret\\\\", groups)
groups = external(["-i", "-r"], password, {"password": "old"})
check("-r asks again", asked(groups) == ["password"], groups)
groups = external(["-i", "-t", "password", "--hint=x-vpn-message:Wrong\npassword", "--unknown", "-z"], password,
                  {"password": "old"})
check("hinted password is asked", asked(groups) == ["password"] and groups["password"]["Value"] == "", groups)
check("message", groups["VPN Plugin UI"]["Description"] == "Wrong\\npassword", groups)
nameless = {k: v for k, v in password.items() if k != "username"}
groups = external(["-i"], nameless)
check("profiles of the older plugin use the login name", asked(groups) == ["password"], groups)
groups = external(["-i"], {**nameless, "default-route": "auto"})
check("user name is asked", asked(groups) == ["password", "username"], groups)
check("user name is shown", groups["username"]["ForceEcho"] == "true" and groups["username"]["IsSecret"] == "true", groups)
groups = external(["-i", "-t", "x-dynamic-challenge:challenge-response"], password, {"password": "p"})
check("challenge", asked(groups) == ["x-dynamic-challenge:challenge-response"] and groups["password"]["Value"] == "p", groups)
groups = external(["-i", "--hint", "x-dynamic-challenge-echo:challenge-response"], password)
check("challenge with echo", groups["x-dynamic-challenge-echo:challenge-response"]["ForceEcho"] == "true", groups)
groups = external(["-i"], {**password, "extra-options": "verb 3\\nstatic-challenge \"Your code\" 1"}, {"password": "p"})
check("static challenge", asked(groups) == ["challenge-response"] and
      groups["challenge-response"]["Label"] == "Your code" and groups["challenge-response"]["ForceEcho"] == "true", groups)
groups = external(["-i"], {"connection-type": "tls", "remote": "h", "cert": "/c", "key": "/no/such/file"})
check("nothing needed", list(groups) == ["VPN Plugin UI", "no-secret"] and groups["no-secret"]["Value"] == "true" and
      groups["no-secret"]["ShouldAsk"] == "false", groups)
groups = external(["-i"], {**password, "password-flags": "5"})
check("not required", asked(groups) == [], groups)

# While the server decides: agents show a message only with a question, so there is one, already filled in.
page = "https://login.example.org/vpn?x=1&y=%20"
browser = ["-i", "-t", "x-nm-ovpn-browser", "-t", "challenge-response", "-t", "x-vpn-message:Open this page:\n" + page]
groups = external(browser, password, {"password": "p"})
check("page to copy", groups["challenge-response"]["Value"] == page and asked(groups) == ["challenge-response"], groups)
check("page is shown", groups["challenge-response"]["ForceEcho"] == "true" and
      groups["VPN Plugin UI"]["Description"].endswith("\\n" + page), groups)
groups = external(["-i", "-t", "x-nm-ovpn-patience", "-t", "x-dynamic-challenge-echo:challenge-response", "-t",
                   "x-vpn-message:Wait"], password)
check("patience", groups["x-dynamic-challenge-echo:challenge-response"]["Value"] == "waiting", groups)
groups = external(["-i", "-t", "x-nm-ovpn-browser", "-t", "challenge-response", "-t",
                   "x-vpn-message:Open this page:\nfile:///etc/passwd"], password)
check("no web page", groups["challenge-response"]["Value"] == "waiting", groups)


def opened(args, env, user=None, wanted=False):
    """The address that a browser was started with; the browser is a script of ours. One that must not be started gets
    half a second for it."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)
        os.makedirs(d + "/applications")
        with open(d + "/browser", "w") as f:
            f.write('#!/bin/sh\nprintf %%s "$1" > %s/seen.new; mv %s/seen.new %s/seen\n' % (d, d, d))
        os.chmod(d + "/browser", 0o755)
        with open(d + "/applications/b.desktop", "w") as f:
            f.write("[Desktop Entry]\nType=Application\nName=b\nExec=%s/browser %%u\n"
                    "MimeType=x-scheme-handler/https;x-scheme-handler/http;x-scheme-handler/file;\n" % d)
        with open(d + "/applications/mimeapps.list", "w") as f:
            f.write("[Default Applications]\nx-scheme-handler/https=b.desktop\n")
        subprocess.run([program, *base, "--external-ui-mode", *args], input=profile(password, {}), text=True,
                       capture_output=True, timeout=60, user=user,
                       env={**environment, "XDG_DATA_HOME": d, "XDG_CONFIG_HOME": d, "HOME": d, **env})
        for _ in range(600 if wanted else 10):
            if os.path.exists(d + "/seen"):
                with open(d + "/seen") as f:
                    return f.read()
            time.sleep(0.05)
        return None


display = {"DISPLAY": ":77"}  # never touched: there is none
if os.geteuid() == 0:
    check("the browser opens", opened(browser, display, 65534, True) == page)
    check("not for root", opened(browser, display) is None)
    check("not without a display", opened(browser, {}, 65534) is None)
    check("not without -i", opened(browser[1:], display, 65534) is None)
    patience = ["x-nm-ovpn-patience" if a == "x-nm-ovpn-browser" else a for a in browser]
    check("not a second time", opened(patience, display, 65534) is None)
    check("only web pages", opened([a.replace("https:", "file:") for a in browser], display, 65534) is None)

result = run(["-i"], password, {"password": "s3cret"})
check("pairs", result.stdout == "password\ns3cret\n\n\n" and result.returncode == 0, result)
result = run([], {"connection-type": "tls", "remote": "h"})
check("pair when nothing is needed", result.stdout == "no-secret\ntrue\n\n\n" and result.returncode == 0, result)
result = run(["-i"], password)
check("no display", result.returncode == 1 and result.stdout == "" and result.stderr, result)
result = subprocess.run([program, *base, "--external-ui-mode"], input="", text=True, capture_output=True, env=environment)
check("no profile", result.returncode == 1 and result.stdout == "", result)

# Each agent's dialect of the same question: Shell (blank lines, stdin stays open), nm-applet (QUIT at once, spaces for
# newlines), nmcli (no blank lines, "=" continues a value).
pairs = "".join("DATA_KEY=%s\nDATA_VAL=%s\n" % kv for kv in password.items())
for agent, text, hold in (("shell", profile(password, {}), True), ("nm-applet", profile(password, {}) + "QUIT\n\n", False),
                          ("nmcli", pairs + "DATA_KEY=multi\nDATA_VAL=a\n=b\nDONE\nQUIT\n", False)):
    child = subprocess.Popen([program, "-s", "x", "-n", "x", "-u", "x", "-i", "--external-ui-mode"], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    child.stdin.write(text)
    child.stdin.flush()
    if not hold:
        child.stdin.close()
    out = child.stdout.read()
    check(agent + " is answered at once", child.wait(60) == 0 and "[password]" in out, out)
    if hold:
        child.stdin.close()

# GNOME Shell keeps stdin open in classic mode and closes stderr: the dialog must wait for QUIT and not die of it.
child = subprocess.Popen([program, *base], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, env=environment)
child.stdin.write(profile(password, {"password": "p"}))
child.stdin.flush()
check("answer", [child.stdout.readline() for _ in range(4)] == ["password\n", "p\n", "\n", "\n"])
time.sleep(0.2)
check("waits for QUIT", child.poll() is None)
child.stdin.write("QUIT\n\n")
child.stdin.close()
check("leaves on QUIT", child.wait(60) == 0)
sys.exit(1 if failed else 0)
