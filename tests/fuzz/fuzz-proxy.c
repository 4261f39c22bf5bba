/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hostile proxy. First byte: kind (low 2 bits), method (next 3), credentials (0x20), byte by byte
 * (0x40), version 1.1 (0x80). Kind 3: the rest is a relayed datagram. Else the rest is what the
 * proxy says; a byte 0xfe ends the connection. Every RECONNECT and NEED_CREDENTIALS is followed. */
#include "helper/core/proxy.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void not_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 7, len);
}

static void datagram(const uint8_t *data, size_t size)
{
  uint8_t *copy = malloc(size ? size : 1), *p = copy;
  assert(copy);
  if (size)
    memcpy(copy, data, size);
  size_t len = size;
  OvpnSocksAddress from;
  if (ovpn_socks_udp_remove(&p, &len, &from) == OVPN_OK) {
    assert(len > 0 && p + len == copy + size && from.ip_len);
    uint8_t head[OVPN_SOCKS_UDP_HEADER_MAX];
    size_t n = ovpn_socks_udp_header(&from, head);
    assert(n == size - len && !memcmp(head + 3, copy + 3, n - 3));
  } else {
    assert(p == copy && len == size);
  }
  free(copy);
}

/* A request has as many lines as its maker meant: nothing of the proxy's adds one. */
static void check_request(const uint8_t *out, size_t n)
{
  size_t lines = 0;
  for (size_t i = 0; i < n; i++) {
    assert(out[i] >= 0x20 || out[i] == '\r' || out[i] == '\n');
    lines += out[i] == '\n';
  }
  assert(n == 0 || (lines >= 4 && lines <= 7));
}

static void drain(OvpnProxy *p, OvpnProxyKind kind)
{
  static uint8_t out[20000];
  size_t n = ovpn_proxy_output(p, out, sizeof(out));
  if (kind == OVPN_PROXY_HTTP)
    check_request(out, n);
}

/* Whatever the step asks for. */
static void follow(OvpnProxy *p, OvpnProxyKind kind)
{
  OvpnBlob pw = {(uint8_t *)(uintptr_t) "pass", 4};
  OvpnProxyStep s = ovpn_proxy_step(p);
  if (s == OVPN_PROXY_NEED_CREDENTIALS)
    assert(ovpn_proxy_set_credentials(p, "dom\\us\"er", &pw, NULL) == OVPN_OK);
  if (s == OVPN_PROXY_NEED_CREDENTIALS || s == OVPN_PROXY_RECONNECT)
    ovpn_proxy_start(p);
  drain(p, kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  uint8_t how = data[0];
  data++, size--;
  if ((how & 3) == 3) {
    datagram(data, size);
    return 0;
  }
  OvpnProxyKind kind = (OvpnProxyKind)(how & 3);
  OvpnBlob pw = {(uint8_t *)(uintptr_t) "pass", 4};
  const OvpnProxyHeader header = {"X-Test", "1"};
  OvpnProxyParams params = {.kind = kind,
                            .host = "vpn.example.org",
                            .port = 1194,
                            .auth = (OvpnProxyAuth)((how >> 2 & 7) % 6),
                            .http_version = how & 0x80 ? "1.1" : "1.0",
                            .user_agent = "agent",
                            .headers = &header,
                            .n_headers = 1,
                            .random = not_random};
  if (how & 0x20) {
    params.username = "dom\\us\"er";
    params.password = &pw;
  }
  OvpnProxy *p = NULL;
  if (ovpn_proxy_new(&params, &p, NULL) != OVPN_OK)
    return 0;
  ovpn_proxy_start(p);
  follow(p, kind);
  while (size > 0 && ovpn_proxy_step(p) == OVPN_PROXY_CONTINUE) {
    const uint8_t *end = memchr(data, 0xfe, size);
    size_t n = end ? (size_t)(end - data) : size, used = 0;
    if (how & 0x40 && n > 1)
      n = 1;
    if (n == 0) {
      ovpn_proxy_closed(p);
      used = 1;
    } else {
      OvpnProxyStep s = ovpn_proxy_input(p, data, n, &used);
      assert(used <= n && (used == n || s != OVPN_PROXY_CONTINUE));
    }
    data += used;
    size -= used;
    follow(p, kind);
  }
  OvpnProxyStep last = ovpn_proxy_step(p);
  assert(last != OVPN_PROXY_FAIL || ovpn_is_fail(ovpn_proxy_failure(p)->status));
  ovpn_proxy_free(p);
  return 0;
}
