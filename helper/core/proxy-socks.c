/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKS5 as a client, and the head of its datagrams. spec §20.2; RFC 1928, RFC 1929.
 *
 * A reply is read field by field, never further than its own lengths say, so that the first byte of
 * OpenVPN stays where it is. The version byte of the sign-in's reply is not looked at (proxies
 * disagree about it). Datagrams come from the network: unauthenticated, checked, never believed. */
#include "helper/core/proxy-private.h"

enum {
  SOCKS_VERSION = 5,
  LOGIN_VERSION = 1,
  METHOD_NONE = 0,
  METHOD_PASSWORD = 2,
  METHOD_REFUSED = 0xff,
  COMMAND_CONNECT = 1,
  COMMAND_ASSOCIATE = 3,
  ATYP_IPV4 = 1,
  ATYP_NAME = 3,
  ATYP_IPV6 = 4,
  REPLY_HEAD = 5, /* version, code, reserved, address type, first byte of the address */
  FIELD_MAX = 255,
};

static const char *reply_text(uint8_t code)
{
  static const char *const texts[] = {
      "succeeded",
      "general failure",
      "connection not allowed by the rules of the proxy",
      "network unreachable",
      "host unreachable",
      "connection refused",
      "TTL expired",
      "command not supported",
      "address type not supported",
  };
  return code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : "unknown reply";
}

static OvpnProxyStep expect(OvpnProxy *p, SocksState state, size_t need)
{
  p->socks = state;
  p->need = need;
  p->line_len = 0;
  return OVPN_PROXY_CONTINUE;
}

OvpnProxyStep socks_start(OvpnProxy *p)
{
  OvpnWriter w = proxy_writer(p);
  ovpn_write_u8(&w, SOCKS_VERSION);
  ovpn_write_u8(&w, 1);
  ovpn_write_u8(&w, p->have_credentials ? METHOD_PASSWORD : METHOD_NONE);
  expect(p, SOCKS_METHOD, 2);
  return proxy_written(p, &w);
}

/* Type and address; literals in their own form, so that the proxy need not recognise one in a name.
 */
static void write_address(OvpnWriter *w, const OvpnSocksAddress *a, const char *name)
{
  size_t n = a->ip_len ? a->ip_len : strlen(name);
  if (a->ip_len == 0) {
    ovpn_write_u8(w, ATYP_NAME);
    ovpn_write_u8(w, (uint8_t)n); /* a host has at most 255 bytes */
  } else {
    ovpn_write_u8(w, a->ip_len == 4 ? ATYP_IPV4 : ATYP_IPV6);
  }
  ovpn_write_bytes(w, a->ip_len ? (const void *)a->ip : name, n);
}

static OvpnProxyStep send_request(OvpnProxy *p)
{
  OvpnWriter w = proxy_writer(p);
  bool udp = p->kind == OVPN_PROXY_SOCKS_UDP;
  ovpn_write_u8(&w, SOCKS_VERSION);
  ovpn_write_u8(&w, udp ? COMMAND_ASSOCIATE : COMMAND_CONNECT);
  ovpn_write_u8(&w, 0);
  if (udp) /* we do not know yet from where the datagrams will come */
    write_address(&w, &(OvpnSocksAddress){.ip_len = 4}, NULL);
  else
    write_address(&w, &p->literal, p->host);
  ovpn_write_u16(&w, udp ? 0 : p->port);
  expect(p, SOCKS_REPLY_HEAD, REPLY_HEAD);
  return proxy_written(p, &w);
}

static OvpnProxyStep send_login(OvpnProxy *p)
{
  if (p->username.len == 0 || p->username.len > FIELD_MAX || p->password.len > FIELD_MAX)
    return proxy_fail(p, OVPN_FAIL_PROXY_AUTH,
                      "SOCKS: user name and password may have 255 bytes each");
  OvpnWriter w = proxy_writer(p);
  ovpn_write_u8(&w, LOGIN_VERSION);
  ovpn_write_u8(&w, (uint8_t)p->username.len);
  ovpn_write_bytes(&w, p->username.data, p->username.len);
  ovpn_write_u8(&w, (uint8_t)p->password.len);
  ovpn_write_bytes(&w, p->password.data, p->password.len);
  expect(p, SOCKS_LOGIN, 2);
  return proxy_written(p, &w);
}

static OvpnProxyStep on_method(OvpnProxy *p, uint8_t version, uint8_t method)
{
  if (version != SOCKS_VERSION)
    return proxy_fail(p, OVPN_FAIL_PROXY, "not a SOCKS5 proxy");
  if (method == METHOD_REFUSED && !p->have_credentials && p->auth == OVPN_PROXY_AUTH_AUTO)
    return proxy_set_step(p, OVPN_PROXY_NEED_CREDENTIALS);
  if (method == METHOD_REFUSED)
    return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "%s",
                      p->have_credentials ? "SOCKS: no sign-in with user name and password"
                                          : "SOCKS: the proxy wants to be signed in to");
  if (method != (p->have_credentials ? METHOD_PASSWORD : METHOD_NONE))
    return proxy_fail(p, OVPN_FAIL_PROXY, "SOCKS: the proxy chose what was not offered");
  return p->have_credentials ? send_login(p) : send_request(p);
}

static OvpnProxyStep on_reply_head(OvpnProxy *p)
{
  const uint8_t *r = p->line;
  if (r[0] != SOCKS_VERSION)
    return proxy_fail(p, OVPN_FAIL_PROXY, "not a SOCKS5 proxy");
  if (r[1] != 0)
    return proxy_fail(p, OVPN_FAIL_PROXY, "SOCKS: %u %s", r[1], reply_text(r[1]));
  /* the rest of the address, and the port */
  size_t rest = r[3] == ATYP_IPV4   ? 3 + 2
                : r[3] == ATYP_IPV6 ? 15 + 2
                : r[3] == ATYP_NAME ? r[4] + 2u
                                    : 0;
  if (rest == 0)
    return proxy_fail(p, OVPN_FAIL_PROXY, "SOCKS: unknown address type %u", r[3]);
  p->socks = SOCKS_REPLY_REST;
  p->need = REPLY_HEAD + rest;
  return OVPN_PROXY_CONTINUE;
}

static bool all_zero(const uint8_t *p, size_t len)
{
  uint8_t any = 0;
  while (len-- > 0)
    any |= p[len];
  return any == 0;
}

/* Address and port of a type that is an address; false for a name or anything else. */
static bool read_address(OvpnReader *r, OvpnSocksAddress *ret)
{
  OvpnSocksAddress a = {0};
  uint8_t type = ovpn_read_u8(r);
  if (type != ATYP_IPV4 && type != ATYP_IPV6)
    return false;
  a.ip_len = type == ATYP_IPV4 ? 4 : 16;
  ovpn_read_copy(r, a.ip, a.ip_len);
  a.port = ovpn_read_u16(r);
  *ret = a;
  return true;
}

static OvpnProxyStep on_reply(OvpnProxy *p)
{
  if (p->kind != OVPN_PROXY_SOCKS_UDP)
    return proxy_set_step(p, OVPN_PROXY_DONE); /* the bound address is of no use */
  OvpnReader r = ovpn_reader(p->line + 3, p->line_len - 3);
  OvpnSocksAddress a;
  if (!read_address(&r, &a))
    return proxy_fail(p, OVPN_FAIL_PROXY, "SOCKS: the relay is given by a name");
  if (a.port == 0)
    return proxy_fail(p, OVPN_FAIL_PROXY, "SOCKS: the relay has no port");
  if (all_zero(a.ip, a.ip_len))
    a.ip_len = 0;
  p->relay = a;
  return proxy_set_step(p, OVPN_PROXY_DONE);
}

static OvpnProxyStep on_complete(OvpnProxy *p)
{
  switch (p->socks) {
  case SOCKS_METHOD:
    return on_method(p, p->line[0], p->line[1]);
  case SOCKS_LOGIN:
    if (p->line[1] != 0)
      return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "SOCKS: user name or password refused");
    return send_request(p);
  case SOCKS_REPLY_HEAD:
    return on_reply_head(p);
  case SOCKS_REPLY_REST:
    return on_reply(p);
  }
  return p->step;
}

OvpnProxyStep socks_input(OvpnProxy *p, const uint8_t *data, size_t len, size_t *ret_used)
{
  OvpnReader r = ovpn_reader(data, len);
  while (p->step == OVPN_PROXY_CONTINUE && ovpn_reader_left(&r) > 0) {
    if (p->out_sent < p->out_len) {
      proxy_fail(p, OVPN_FAIL_PROXY, "the proxy answers before it is asked");
      break;
    }
    size_t n = p->need - p->line_len;
    if (n > ovpn_reader_left(&r))
      n = ovpn_reader_left(&r);
    ovpn_read_copy(&r, p->line + p->line_len, n); /* need is at most 5 + 255 + 2 */
    p->line_len += n;
    if (p->line_len == p->need)
      on_complete(p);
  }
  *ret_used = len - ovpn_reader_left(&r);
  return p->step;
}

/* --- datagrams --- */

size_t ovpn_socks_udp_header(const OvpnSocksAddress *to, uint8_t out[OVPN_SOCKS_UDP_HEADER_MAX])
{
  if (to->ip_len != 4 && to->ip_len != 16)
    return 0;
  OvpnWriter w = ovpn_writer(out, OVPN_SOCKS_UDP_HEADER_MAX);
  ovpn_write_u16(&w, 0);
  ovpn_write_u8(&w, 0); /* not a fragment */
  write_address(&w, to, NULL);
  ovpn_write_u16(&w, to->port);
  return w.len;
}

void ovpn_socks_udp_add(const OvpnSocksAddress *to, uint8_t **p, size_t *len)
{
  uint8_t head[OVPN_SOCKS_UDP_HEADER_MAX];
  size_t n = ovpn_socks_udp_header(to, head);
  *p -= n;
  memcpy(*p, head, n);
  *len += n;
}

OvpnStatus ovpn_socks_udp_remove(uint8_t **p, size_t *len, OvpnSocksAddress *ret_from)
{
  OvpnReader r = ovpn_reader(*p, *len);
  OvpnSocksAddress from;
  ovpn_read_u16(&r); /* reserved */
  uint8_t fragment = ovpn_read_u8(&r);
  if (r.ok && fragment != 0)
    return OVPN_DROP_FORMAT;
  bool known = read_address(&r, &from);
  if (!r.ok)
    return OVPN_DROP_TRUNCATED;
  if (!known)
    return OVPN_DROP_FORMAT;
  if (ovpn_reader_left(&r) == 0)
    return OVPN_DROP_EMPTY;
  size_t n = *len - ovpn_reader_left(&r);
  *p += n;
  *len -= n;
  if (ret_from)
    *ret_from = from;
  return OVPN_OK;
}
