/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a profile: lexer, grammar, text form and back, IPC form and back, typed
 * configuration. */
#include "helper/core/conf.h"
#include "helper/core/config.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool c)
{
  if (!c)
    abort();
}

static void same_words(const OvpnOption *a, const OvpnOption *b)
{
  require(a->id == b->id && a->argc == b->argc);
  for (unsigned i = 0; i < a->argc; i++)
    require(strcmp(a->argv[i], b->argv[i]) == 0);
}

static void text_round_trip(const OvpnOption *o)
{
  ovpn_auto_option_list l = {0};
  char *text = ovpn_option_format(o);
  require(text && ovpn_conf_parse_line(text, strlen(text), &l, NULL) == OVPN_OK && l.n == 1);
  same_words(o, &l.items[0]);
  free(text);
}

static void ipc_round_trip(const OvpnOption *o)
{
  static uint8_t buf[200000];
  ovpn_auto_option_list l = {0};
  OvpnWriter w = ovpn_writer(buf, sizeof buf);
  ovpn_option_encode(o, &w);
  if (!w.ok)
    return; /* a block too large to travel */
  OvpnReader r = ovpn_reader(buf, w.len);
  require(ovpn_option_decode(&r, &l) == OVPN_OK && ovpn_reader_left(&r) == 0);
  same_words(o, &l.items[0]);
  require(l.items[0].connection == o->connection && l.items[0].is_inline == o->is_inline);
}

static void hostile_ipc(const uint8_t *data, size_t size)
{
  ovpn_auto_option_list l = {0};
  OvpnReader r = ovpn_reader(data, size);
  while (ovpn_option_decode(&r, &l) == OVPN_OK)
    ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  ovpn_auto_option_list l = {0};
  OvpnConfError e = {0};
  OvpnStatus s = ovpn_conf_parse(data, size, &l, &e);
  require((s == OVPN_OK) == (e.text[0] == 0));
  for (size_t i = 0; i < l.n && i < 200; i++) {
    OvpnFailure f = {0};
    require((ovpn_option_check(&l.items[i], &f) == OVPN_OK) == (f.status == OVPN_OK));
    text_round_trip(&l.items[i]);
    ipc_round_trip(&l.items[i]);
  }
  OvpnConfig c;
  OvpnFailure f = {0};
  ovpn_config_init(&c);
  s = ovpn_config_apply(&c, &l, &f);
  require(s == f.status);
  require(s != OVPN_OK || (c.n_remotes > 0 && c.data_ciphers.n > 0));
  for (size_t i = 0; s == OVPN_OK && i < c.n_remotes; i++)
    require(c.remotes[i].host && c.remotes[i].port);
  ovpn_config_clear(&c);
  hostile_ipc(data, size);
  return 0;
}
