/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel: device, data channel and timers. spec §10, §11, §17.1.
 *
 * Handlers for config-apply.c: arguments are of the right form already. */
#include "helper/core/cipher-names.h"
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- device */

OvpnStatus ovpn_on_dev(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  const char *name = arg(o, 1);
  if (!ovpn_config_good_device(name) || strcmp(name, "null") == 0)
    return bad(a, o, name, "is not the name of an interface");
  if (!a->dev_type_set)
    a->c->tap = strncmp(name, "tap", 3) == 0;
  bool only_type = strcmp(name, "tun") == 0 || strcmp(name, "tap") == 0;
  return set_text(a, &a->c->dev_name, only_type ? NULL : name);
}

OvpnStatus ovpn_on_dev_type(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->dev_type_set = true;
  a->c->tap = arg_is(o, 1, "tap");
  return OVPN_OK;
}

OvpnStatus ovpn_on_topology(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->topology_set = true;
  a->c->topology = arg_is(o, 1, "subnet") ? OVPN_TOPOLOGY_SUBNET
                   : arg_is(o, 1, "p2p")  ? OVPN_TOPOLOGY_P2P
                                          : OVPN_TOPOLOGY_NET30;
  return OVPN_OK;
}

OvpnStatus ovpn_on_mssfix(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->mssfix = arg(o, 1) ? (int)number(arg(o, 1)) : -1;
  a->c->mssfix_mtu = arg_is(o, 2, "mtu");
  a->c->mssfix_fixed = arg_is(o, 2, "fixed");
  return OVPN_OK;
}

OvpnStatus ovpn_on_fragment(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  enum { FRAGMENT_MIN = 68 };
  (void)row;
  a->c->fragment = (unsigned)number(arg(o, 1));
  a->c->fragment_mtu = arg_is(o, 2, "mtu");
  if (a->c->fragment && a->c->fragment < FRAGMENT_MIN)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "fragment: the size must be at least %d bytes",
                            FRAGMENT_MIN);
  return OVPN_OK;
}
/* ---- data channel */

OvpnStatus ovpn_on_upper(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  char *upper = ovpn_config_upper(arg(o, 1));
  if (!upper)
    return ovpn_config_no_memory(a->f);
  OvpnStatus s = set_text(a, ovpn_config_field(a, row), upper);
  free(upper);
  return s;
}

OvpnStatus ovpn_on_data_ciphers(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (strlen(arg(o, 1)) > 1024)
    return bad(a, o, arg(o, 1), "is too long");
  return set_text(a, &a->data_ciphers, arg(o, 1));
}

OvpnStatus ovpn_on_auth(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  const char *name = ovpn_digest_name(arg(o, 1));
  if (!name) /* known: most ciphers of today do not need it; config.c and the session see to that */
    name = ovpn_digest_missing(arg(o, 1));
  if (!name)
    return bad(a, o, arg(o, 1), "is not a supported digest");
  return set_text(a, ovpn_config_field(a, row), name);
}

OvpnStatus ovpn_on_compress(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->compress_set = true;
  a->c->comp_plain = row->value && arg_is(o, 1, "no"); /* which keeps the framing as well */
  a->c->comp_adaptive = row->value && (!arg(o, 1) || arg_is(o, 1, "adaptive"));
  if (row->value)
    a->c->compress = OVPN_COMP_LZO;
  else if (!arg(o, 1) || arg_is(o, 1, "stub"))
    a->c->compress = OVPN_COMP_STUB;
  else
    a->c->compress = arg_is(o, 1, "lzo")       ? OVPN_COMP_LZO
                     : arg_is(o, 1, "lz4")     ? OVPN_COMP_LZ4
                     : arg_is(o, 1, "lz4-v2")  ? OVPN_COMP_LZ4_V2
                     : arg_is(o, 1, "stub-v2") ? OVPN_COMP_STUB_V2
                                               : OVPN_COMP_NONE; /* migrate */
  return OVPN_OK;
}

OvpnStatus ovpn_on_allow_compression(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->allow_decompress = !arg_is(o, 1, "no");
  a->c->compress_out = arg_is(o, 1, "yes");
  return OVPN_OK;
}

OvpnStatus ovpn_on_replay_window(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->replay_window = (unsigned)number(arg(o, 1));
  if (arg(o, 2))
    a->c->replay_time = (unsigned)number(arg(o, 2));
  return OVPN_OK;
}

/* The first method had no passwords and no options; OpenVPN 2.5 gave it up. */
OvpnStatus ovpn_on_key_method(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (number(arg(o, 1)) != 1)
    return OVPN_OK;
  return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                          "key-method: the method 1 is no longer possible; ask the administrator "
                          "of the other side to remove this line, and remove it here");
}

OvpnStatus ovpn_on_keysize(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  enum { MOST = 512 };
  (void)row;
  int64_t bits = number(arg(o, 1)); /* 0: not a number */
  a->c->keysize = bits >= 0 && bits <= MOST ? (unsigned)bits : 0;
  return OVPN_OK;
}

/* ---- sizes */

unsigned ovpn_config_digest_len(const char *auth)
{
  return ovpn_digest_len(auth ? auth : "SHA1");
}

OvpnStatus ovpn_config_digest_missing(const char *auth, OvpnFailure *f)
{
  return ovpn_failure_set(f, OVPN_FAIL_CONFIG,
                          "auth: “%.40s” is not available here; ask the administrator of the "
                          "server to use SHA256, or AES-256-GCM as the cipher",
                          auth);
}

static bool begins(const char *name, const char *word)
{
  return strncasecmp(name, word, strlen(word)) == 0;
}

/* What OpenVPN 2.6 takes off link-mtu, measured: the sizes of the time before negotiation, with the
 * cipher of the profile (none without that line), however the tunnel is protected in the end. */
unsigned ovpn_config_link_overhead(const OvpnConfig *c, const char *cipher, bool tcp)
{
  enum { OPCODE = 1, TCP_LENGTH = 2, ID = 4, AEAD = 48 };
  static const char *const small[] = {"BF-", "DES-", "CAST5-", "RC2-", "IDEA-"};
  bool bare = ovpn_config_is_static(c);
  unsigned head = (bare ? 0 : OPCODE) + (tcp ? TCP_LENGTH : 0), block = 16;
  unsigned id = c->no_replay ? 0 : bare ? 2 * ID : ID;
  if (strstr(cipher, "GCM") || strstr(cipher, "POLY1305"))
    return head + AEAD;
  head += ovpn_config_digest_len(c->auth);
  if (!strcasecmp(cipher, "none"))
    return head + id;
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
    if (begins(cipher, small[i]))
      block = 8;
  return head + 2 * block + (bare ? id : 0);
}

unsigned ovpn_config_tun_mtu(const OvpnConfig *c, bool tcp)
{
  enum { DEFAULT = 1500, SMALLEST = 100 };
  if (c->tun_mtu || !c->link_mtu)
    return c->tun_mtu ? c->tun_mtu : DEFAULT;
  unsigned used = ovpn_config_link_overhead(c, c->cipher ? c->cipher : "none", tcp);
  return c->link_mtu > SMALLEST + used ? c->link_mtu - used : SMALLEST;
}

/* ---- timers */

/* ping-restart and ping-exit are one timer with two endings: the last one counts. */
OvpnStatus ovpn_on_ping_end(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  unsigned n = (unsigned)number(arg(o, 1));
  a->c->ping_exit = row->value ? n : 0;
  a->c->ping_restart = row->value ? 0 : n;
  a->c->ping_restart_set = true;
  return OVPN_OK;
}

OvpnStatus ovpn_on_keepalive(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  unsigned ping = (unsigned)number(arg(o, 1)), restart = (unsigned)number(arg(o, 2));
  if (restart < ping)
    return bad(a, o, arg(o, 2), "is less than the time between pings");
  a->c->ping = ping;
  a->c->ping_restart = restart;
  a->c->ping_exit = 0;
  a->c->ping_restart_set = true;
  return OVPN_OK;
}

OvpnStatus ovpn_on_inactive(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->inactive = (unsigned)number(arg(o, 1));
  a->c->inactive_bytes = (uint64_t)number(arg(o, 2));
  return OVPN_OK;
}
