/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How servers are reached: remotes and <connection> blocks, sockets, proxies. spec §17.4, §17.5,
 * §19.
 *
 * Handlers for config-apply.c (arguments are of the right form already), then what is derived from
 * all of them. Invariant after ovpn_config_finish_remotes: every remote has port and protocol,
 * and a host unless it waits for the peer.
 */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- transport */

OvpnStatus ovpn_on_local(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  const char *host = arg(o, 1);
  OvpnStatus s = set_text(a, &a->c->local_host, strcmp(host, "*") == 0 ? NULL : host);
  return s == OVPN_OK && arg(o, 2) ? set_text(a, &a->c->local_port, arg(o, 2)) : s;
}

/* Clients do not sit on a fixed port unless the profile insists. */
OvpnStatus ovpn_on_bind(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->bind = row->value;
  a->c->bind_v6only |= row->value && arg_is(o, 1, "ipv6only");
  return OVPN_OK;
}

OvpnStatus ovpn_on_lport(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  return set_text(a, &a->c->local_port, number(arg(o, 1)) ? arg(o, 1) : NULL);
}

OvpnStatus ovpn_on_bind_dev(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (!ovpn_config_good_device(arg(o, 1)))
    return bad(a, o, arg(o, 1), "is not the name of an interface");
  return set_text(a, &a->c->bind_dev, arg(o, 1));
}

OvpnStatus ovpn_on_connect_retry(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->connect_retry = (unsigned)number(arg(o, 1));
  if (arg(o, 2))
    a->c->connect_retry_max_wait = (unsigned)number(arg(o, 2));
  if (a->c->connect_retry_max_wait < a->c->connect_retry)
    a->c->connect_retry_max_wait = a->c->connect_retry;
  return OVPN_OK;
}

OvpnStatus ovpn_on_mtu_disc(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->mtu_disc = arg_is(o, 1, "yes") ? 2 : arg_is(o, 1, "maybe");
  return OVPN_OK;
}
/* ---- proxies */

/* The method of http-proxy: its third argument is a file or how to ask, its fourth the method. */
static OvpnProxyAuth http_method(const OvpnOption *o)
{
  const char *file = arg(o, 3);
  if (arg_is(o, 4, "basic"))
    return OVPN_PROXY_AUTH_BASIC;
  if (arg_is(o, 4, "digest"))
    return OVPN_PROXY_AUTH_DIGEST;
  if (arg_is(o, 4, "ntlm") || arg_is(o, 4, "ntlm2"))
    return OVPN_PROXY_AUTH_NTLM;
  if (!file || arg_is(o, 4, "none") || arg_is(o, 3, "none"))
    return OVPN_PROXY_AUTH_NONE;
  return arg_is(o, 3, "auto")       ? OVPN_PROXY_AUTH_AUTO
         : arg_is(o, 3, "auto-nct") ? OVPN_PROXY_AUTH_AUTO_NCT
                                    : OVPN_PROXY_AUTH_BASIC;
}

OvpnStatus ovpn_on_proxy(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  bool http = row->value;
  const char *file = arg(o, 3);
  OvpnStatus s = set_text(a, &a->c->proxy_type, http ? "http" : "socks");
  if (s == OVPN_OK)
    s = set_text(a, &a->c->proxy_host, arg(o, 1));
  if (s == OVPN_OK)
    s = set_text(a, &a->c->proxy_port, arg(o, 2) ? arg(o, 2) : http ? "8080" : "1080");
  a->c->proxy_auth = http ? http_method(o) : OVPN_PROXY_AUTH_AUTO;
  if (s != OVPN_OK || !file || arg_is(o, 3, "auto") || arg_is(o, 3, "auto-nct") ||
      arg_is(o, 3, "stdin") || (http && arg_is(o, 3, "none")))
    return s;
  return set_text(a, &a->c->files[OVPN_FILE_HTTP_PROXY_USER_PASS].name, file);
}

/* One more line of the head of the request. */
static OvpnStatus add_proxy_header(ConfigApply *a, const OvpnOption *o)
{
  enum { HEADERS_MAX = 8192 };
  const char *name = arg(o, 2), *value = arg(o, 3);
  const char *old = a->c->proxy_headers ? a->c->proxy_headers : "";
  if (!name || !*name)
    return bad(a, o, arg(o, 1), "needs a name");
  if (strpbrk(name, "\r\n") || (value && strpbrk(value, "\r\n")))
    return bad(a, o, arg(o, 1), "has a line break");
  size_t n = strlen(old) + strlen(name) + (value ? strlen(value) + 2 : 0) + 2;
  if (n > HEADERS_MAX)
    return bad(a, o, arg(o, 1), "is too long");
  char *text = malloc(n);
  if (!text)
    return ovpn_config_no_memory(a->f);
  snprintf(text, n, "%s%s%s%s\n", old, name, value ? ": " : "", value ? value : "");
  OvpnStatus s = set_text(a, &a->c->proxy_headers, text);
  ovpn_secret_free(text);
  return s;
}

OvpnStatus ovpn_on_proxy_option(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (arg_is(o, 1, "VERSION")) {
    if (!arg_is(o, 2, "1.0") && !arg_is(o, 2, "1.1"))
      return bad(a, o, arg(o, 2) ? arg(o, 2) : "", "is not a version of HTTP");
    return set_text(a, &a->c->proxy_version, arg(o, 2));
  }
  if (arg_is(o, 1, "AGENT"))
    return set_text(a, &a->c->proxy_agent, arg(o, 2));
  if (arg_is(o, 1, "CUSTOM-HEADER") || arg_is(o, 1, "EXT1") || arg_is(o, 1, "EXT2"))
    return add_proxy_header(a, o);
  return bad(a, o, arg(o, 1), "is not an option of a proxy");
}

/* ---- remotes: handlers (spec §17.5) */

static OvpnStatus parse_proto(ConfigApply *a, const OvpnOption *o, const char *text,
                              OvpnProto *proto, OvpnFamily *family, bool *tcp_server)
{
  static const struct {
    const char *word;
    OvpnProto proto;
    OvpnFamily family;
  } words[] = {
      {"udp", OVPN_PROTO_UDP, OVPN_AF_ANY},           {"udp4", OVPN_PROTO_UDP, OVPN_AF_INET},
      {"udp6", OVPN_PROTO_UDP, OVPN_AF_INET6},        {"tcp", OVPN_PROTO_TCP, OVPN_AF_ANY},
      {"tcp4", OVPN_PROTO_TCP, OVPN_AF_INET},         {"tcp6", OVPN_PROTO_TCP, OVPN_AF_INET6},
      {"tcp-client", OVPN_PROTO_TCP, OVPN_AF_ANY},    {"tcp4-client", OVPN_PROTO_TCP, OVPN_AF_INET},
      {"tcp6-client", OVPN_PROTO_TCP, OVPN_AF_INET6}, {"adaptive", OVPN_PROTO_UDP, OVPN_AF_ANY},
      {"tcp-server", OVPN_PROTO_TCP, OVPN_AF_ANY},    {"tcp4-server", OVPN_PROTO_TCP, OVPN_AF_INET},
      {"tcp6-server", OVPN_PROTO_TCP, OVPN_AF_INET6},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcasecmp(words[i].word, text) != 0)
      continue;
    *proto = words[i].proto;
    *family = words[i].family;
    *tcp_server = strstr(words[i].word, "-server") != NULL;
    return OVPN_OK;
  }
  return bad(a, o, text, "is not a protocol");
}

static OvpnStatus remote_new(ConfigApply *a, int connection, OvpnRemote **ret_remote,
                             RemoteState **ret_state)
{
  size_t n = a->c->n_remotes;
  OvpnRemote *r = realloc(a->c->remotes, (n + 1) * sizeof *r);
  if (!r)
    return ovpn_config_no_memory(a->f);
  a->c->remotes = r;
  RemoteState *s = realloc(a->remotes, (n + 1) * sizeof *s);
  if (!s)
    return ovpn_config_no_memory(a->f);
  a->remotes = s;
  r[n] = (OvpnRemote){0};
  s[n] = (RemoteState){.connection = connection};
  a->c->n_remotes++;
  *ret_remote = &r[n];
  *ret_state = &s[n];
  return OVPN_OK;
}

/* The entry of the <connection> block that `o` stands in; a new one begins with the values that
 * stood before it in the file. */
static OvpnStatus block_remote(ConfigApply *a, const OvpnOption *o, OvpnRemote **ret_remote,
                               RemoteState **ret_state)
{
  size_t n = a->c->n_remotes;
  if (n > 0 && a->remotes[n - 1].connection == o->connection) {
    *ret_remote = &a->c->remotes[n - 1];
    *ret_state = &a->remotes[n - 1];
    return OVPN_OK;
  }
  OvpnStatus s = remote_new(a, o->connection, ret_remote, ret_state);
  if (s != OVPN_OK)
    return s;
  (*ret_remote)->proto = a->proto;
  (*ret_remote)->family = a->family;
  (*ret_remote)->tcp_server = a->tcp_server;
  (*ret_state)->has_proto = true; /* nothing after the block counts */
  if (!ovpn_link_begin(a->c, *ret_remote))
    return ovpn_config_no_memory(a->f);
  return set_text(a, &(*ret_remote)->port, a->port);
}

OvpnRemote *ovpn_config_block_remote(ConfigApply *a, const OvpnOption *o)
{
  OvpnRemote *r;
  RemoteState *state;
  return block_remote(a, o, &r, &state) == OVPN_OK ? r : NULL;
}

static OvpnStatus set_host(ConfigApply *a, const OvpnOption *o, OvpnRemote *r)
{
  const char *host = arg(o, 1);
  size_t len = strlen(host);
  if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
    host++;
    len -= 2;
  }
  if (strcspn(host, "[]/\"'<>|\\") < len)
    return bad(a, o, arg(o, 1), "is not a host name or address");
  char *copy = strndup(host, len);
  if (!copy)
    return ovpn_config_no_memory(a->f);
  free(r->host);
  r->host = copy;
  return OVPN_OK;
}

OvpnStatus ovpn_on_remote(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  OvpnRemote *r;
  RemoteState *state;
  OvpnStatus s = o->connection < 0 ? remote_new(a, -1, &r, &state) : block_remote(a, o, &r, &state);
  if (s != OVPN_OK)
    return s;
  if (r->host)
    return bad(a, o, arg(o, 1), "is a second server in one connection block");
  s = set_host(a, o, r);
  if (s == OVPN_OK && arg(o, 2))
    s = set_text(a, &r->port, arg(o, 2));
  if (s == OVPN_OK && arg(o, 3)) {
    s = parse_proto(a, o, arg(o, 3), &r->proto, &r->family, &r->tcp_server);
    state->has_proto = true;
  }
  return s;
}

OvpnStatus ovpn_on_proto(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  OvpnRemote *r;
  RemoteState *state;
  if (o->connection < 0)
    return parse_proto(a, o, arg(o, 1), &a->proto, &a->family, &a->tcp_server);
  OvpnStatus s = block_remote(a, o, &r, &state);
  return s == OVPN_OK ? parse_proto(a, o, arg(o, 1), &r->proto, &r->family, &r->tcp_server) : s;
}

/* port, rport: clients do not want to sit on a fixed local port, so that of `port` only counts
 * where we wait for a peer or are told to bind. */
OvpnStatus ovpn_on_port(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  OvpnRemote *r;
  RemoteState *state;
  if (o->connection < 0) {
    OvpnStatus t = o->id == OVPN_OPT_PORT ? set_text(a, &a->c->own_port, arg(o, 1)) : OVPN_OK;
    return t == OVPN_OK ? set_text(a, &a->port, arg(o, 1)) : t;
  }
  OvpnStatus s = block_remote(a, o, &r, &state);
  return s == OVPN_OK ? set_text(a, &r->port, arg(o, 1)) : s;
}

OvpnStatus ovpn_on_exit_notify(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->explicit_exit_notify = arg(o, 1) ? (int)number(arg(o, 1)) : 1;
  return OVPN_OK;
}

OvpnStatus ovpn_on_proto_force(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->proto_force = arg_is(o, 1, "tcp") ? OVPN_PROTO_TCP : OVPN_PROTO_UDP;
  return OVPN_OK;
}

/* ---- remotes: what is derived (spec §17.4) */

/* What the profile's own proto line says counts for remotes without one. */
static void inherit_proto(const ConfigApply *a, OvpnRemote *r, const RemoteState *s)
{
  if (s->has_proto)
    return;
  r->proto = a->proto;
  r->family = a->family;
  r->tcp_server = a->tcp_server;
}

/* HTTP CONNECT makes TCP connections only. */
static bool proxy_fits(const OvpnConfig *c, const OvpnRemote *r)
{
  const char *proxy = ovpn_config_proxy(c, r);
  return !proxy || strcmp(proxy, "http") != 0 || r->proto == OVPN_PROTO_TCP;
}

/* Keeps, in order, what is used: plain remote lines do not count when there are <connection>
 * blocks, proto-force chooses, and an HTTP proxy needs TCP. *ret_forced: how many proto-force left.
 */
static void choose_remotes(ConfigApply *a, bool blocks, size_t *ret_forced)
{
  OvpnConfig *c = a->c;
  size_t kept = 0;
  for (size_t i = 0; i < c->n_remotes; i++) {
    OvpnRemote r = c->remotes[i];
    bool candidate = !blocks || a->remotes[i].connection >= 0;
    inherit_proto(a, &r, &a->remotes[i]);
    bool forced = candidate && (a->proto_force < 0 || r.proto == (OvpnProto)a->proto_force);
    *ret_forced += forced;
    if (forced && proxy_fits(c, &r)) {
      r.index = (uint16_t)kept;
      c->remotes[kept++] = r;
      continue;
    }
    free(r.host);
    free(r.port);
    ovpn_link_free(r.link);
  }
  c->n_remotes = kept;
}

/* A profile without a server: of two equal peers, one waits for the other. */
static OvpnStatus add_waiting(ConfigApply *a)
{
  OvpnRemote *r;
  RemoteState *state;
  if (a->c->pull)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "no remote: the profile names no server");
  if (a->proto == OVPN_PROTO_TCP && !a->tcp_server)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "no remote: only proto tcp-server or udp can wait for a peer");
  OvpnStatus s = remote_new(a, -1, &r, &state);
  if (s != OVPN_OK)
    return s;
  r->host = strdup("");
  return r->host ? OVPN_OK : ovpn_config_no_memory(a->f);
}

/* Who waits, and what that excludes. */
static OvpnStatus finish_waiting(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  for (size_t i = 0; i < c->n_remotes; i++) {
    OvpnRemote *r = &c->remotes[i];
    r->waits = r->tcp_server || !*r->host;
    if (r->tcp_server && c->pull)
      return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                              "proto: tcp-server waits for a peer to call, a client calls itself");
    if (r->waits && ovpn_config_proxy(c, r))
      return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                              "%s-proxy: cannot be used while waiting for a peer to call",
                              ovpn_config_proxy(c, r));
    if (!*r->host && !r->link)
      c->is_float = true; /* the default without remote, as the peer can be anywhere */
  }
  return OVPN_OK;
}

OvpnStatus ovpn_config_finish_remotes(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  bool blocks = false;
  size_t forced = 0;
  OvpnStatus s = c->n_remotes ? OVPN_OK : add_waiting(a);
  if (s != OVPN_OK)
    return s;
  for (size_t i = 0; i < c->n_remotes; i++) {
    blocks |= a->remotes[i].connection >= 0;
    if (!c->remotes[i].host)
      return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "connection: no remote in the block");
  }
  choose_remotes(a, blocks, &forced);
  if (forced == 0)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "proto-force: no remote uses this protocol");
  if (c->n_remotes == 0)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "http-proxy: works with TCP only, and the profile has no server with "
                            "proto tcp");
  for (size_t i = 0; i < c->n_remotes; i++) {
    OvpnLinkOptions *l = c->remotes[i].link;
    if (l && !l->own_direction)
      l->tls_auth_dir = c->tls_auth_dir;
  }
  for (size_t i = 0; i < c->n_remotes; i++)
    if (!c->remotes[i].port &&
        !ovpn_config_set_text(&c->remotes[i].port, a->port ? a->port : "1194"))
      return ovpn_config_no_memory(a->f);
  return finish_waiting(a);
}

/* Each restart becomes the end. */
OvpnStatus ovpn_on_remap_usr1(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->once = arg_is(o, 1, "SIGTERM");
  return OVPN_OK;
}

OvpnStatus ovpn_on_dns_updown(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->no_dns = arg(o, 1) && strcmp(arg(o, 1), "disable") == 0;
  return OVPN_OK;
}
