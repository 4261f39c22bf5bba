#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nm-ovpn-auth-dialog over pipes, as nmcli, GNOME Shell and nm-applet run it (no display needed)."""
import configparser
import os
import subprocess
import sys
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
                          capture_output=True, timeout=15, env=environment)


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
groups = external(["-i"], {k: v for k, v in password.items() if k != "username"})
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

result = run(["-i"], password, {"password": "s3cret"})
check("pairs", result.stdout == "password\ns3cret\n\n\n" and result.returncode == 0, result)
result = run([], {"connection-type": "tls", "remote": "h"})
check("pair when nothing is needed", result.stdout == "no-secret\ntrue\n\n\n" and result.returncode == 0, result)
result = run(["-i"], password)
check("no display", result.returncode == 1 and result.stdout == "" and result.stderr, result)
result = subprocess.run([program, *base, "--external-ui-mode"], input="", text=True, capture_output=True, env=environment)
check("no profile", result.returncode == 1 and result.stdout == "", result)

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
check("leaves on QUIT", child.wait(5) == 0)
sys.exit(1 if failed else 0)
