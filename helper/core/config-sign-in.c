/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User names, challenges and what the client tells the server about itself. spec §14, §15.
 *
 * Handlers for config-apply.c: arguments are of the right form already. */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdio.h>
#include <string.h>

/* ---- signing in */

OvpnStatus ovpn_on_auth_user_pass(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->auth_user_pass = true;
  if (!o->is_inline && !arg(o, 1))
    return OVPN_OK;
  OvpnStatus s = ovpn_on_file(a, o, row);
  if (s == OVPN_OK && o->content.len)
    (void)ovpn_user_pass_split(&o->content, &a->c->username, NULL); /* without a name: ask */
  return s;
}

OvpnStatus ovpn_on_askpass(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return arg(o, 1) ? ovpn_on_file(a, o, row) : OVPN_OK;
}

OvpnStatus ovpn_on_auth_retry(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->auth_retry = arg_is(o, 1, "none")         ? OVPN_AUTH_RETRY_NONE
                     : arg_is(o, 1, "nointeract") ? OVPN_AUTH_RETRY_NOINTERACT
                                                  : OVPN_AUTH_RETRY_INTERACT;
  return OVPN_OK;
}

OvpnStatus ovpn_on_static_challenge(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->static_challenge_echo = arg_is(o, 2, "1");
  a->c->static_challenge_concat = arg_is(o, 3, "concat");
  return set_text(a, &a->c->static_challenge, arg(o, 1));
}

/* A line of the peer information: NAME=value in printable characters; others are left out, as they
 * are by OpenVPN, and so is a line that does not fit. A second one replaces the first. */
static OvpnStatus set_peer_info(ConfigApply *a, const OvpnOption *o)
{
  enum { UV_MAX = 64, UV_LINE_MAX = 512 };
  const char *value = arg(o, 2) ? arg(o, 2) : "";
  char line[UV_LINE_MAX];
  size_t n = 0, name_len;
  for (const char *p = arg(o, 1); *p && n < sizeof line; p++)
    if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
        *p == '_')
      line[n++] = *p;
  name_len = n;
  if (n < sizeof line)
    line[n++] = '=';
  for (const char *p = value; *p && n < sizeof line; p++)
    if ((unsigned char)*p >= ' ' && *p != 0x7f)
      line[n++] = *p;
  if (n >= sizeof line)
    return OVPN_OK;
  line[n] = 0;
  OvpnStrv *uv = &a->c->uv;
  for (size_t i = 0; i < uv->n; i++)
    if (strncmp(uv->v[i], line, name_len + 1) == 0)
      return set_text(a, &uv->v[i], line);
  if (uv->n >= UV_MAX)
    return OVPN_OK;
  return ovpn_strv_add(uv, line) ? OVPN_OK : ovpn_config_no_memory(a->f);
}

/* Names that OpenVPN 3 and Access Server gave a meaning; the others only reach scripts. */
OvpnStatus ovpn_on_setenv(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  const char *name = arg(o, 1);
  if (strncmp(name, "UV_", 3) == 0 || strcmp(name, "IV_GUI_VER") == 0 ||
      strcmp(name, "IV_SSO") == 0 || strcmp(name, "IV_PLAT_VER") == 0 ||
      strcmp(name, "IV_HWADDR") == 0)
    return set_peer_info(a, o);
  if (strcmp(name, "CLIENT_CERT") == 0)
    a->c->client_cert_not_needed = arg_is(o, 2, "0");
  else if (strcmp(name, "PUSH_PEER_INFO") == 0)
    a->c->push_peer_info = true;
  else if (strcmp(name, "GENERIC_CONFIG") == 0)
    return ovpn_failure_set(
        a->f, OVPN_FAIL_CONFIG,
        "setenv GENERIC_CONFIG: this profile is a template and names no server");
  else if (strcmp(name, "SERVER_POLL_TIMEOUT") == 0) {
    int64_t n;
    if (arg(o, 2) &&
        ovpn_option_number(arg(o, 2), 0, 86400, &n)) /* else only a script's business */
      a->c->connect_timeout = (unsigned)n;
  }
  return OVPN_OK;
}
