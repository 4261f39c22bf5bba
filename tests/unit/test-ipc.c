/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message codec: round trips, bounds, and what must be refused. */
#include "helper/core/ipc.h"
#include "tests/unit/check.h"

static void test_table(void)
{
  CHECK_INT(ovpn_ipc_fds(OVPN_IPC_OPTIONS), 0);
  CHECK_INT(ovpn_ipc_fds(OVPN_IPC_FILE), 1);
  CHECK_INT(ovpn_ipc_fds(OVPN_IPC_LINK), 1);
  CHECK_INT(ovpn_ipc_fds(OVPN_IPC_CLOSED), 0);
  CHECK_INT(ovpn_ipc_fds(0), -1);
  CHECK_INT(ovpn_ipc_fds(31), -1);
  CHECK_INT(ovpn_ipc_fds(65535), -1);
  CHECK_STR(ovpn_ipc_name(OVPN_IPC_PUSHED), "PUSHED");
  CHECK_STR(ovpn_ipc_name(999), "UNKNOWN");
}

static void test_round_trip(void)
{
  uint8_t buf[256];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_ANSWER);
  ovpn_write_u8(&w, 1);
  ovpn_ipc_write_str(&w, "user");
  ovpn_ipc_write_str(&w, NULL);
  ovpn_ipc_write_str(&w, "pass");
  size_t n = ovpn_ipc_end(&w);
  CHECK_INT(n, 8 + 1 + 6 + 2 + 6);

  uint16_t type = 0;
  OvpnReader r;
  CHECK_INT(ovpn_ipc_open(buf, n, &type, &r), OVPN_OK);
  CHECK_INT(type, OVPN_IPC_ANSWER);
  CHECK_INT(ovpn_read_u8(&r), 1);
  char *a = ovpn_ipc_read_str(&r, 64), *b = ovpn_ipc_read_str(&r, 64);
  ovpn_auto_blob secret = {0};
  ovpn_blob_set_text(&secret, "old content");
  ovpn_ipc_read_blob(&r, &secret, 64);
  CHECK(r.ok);
  CHECK_INT(ovpn_reader_left(&r), 0);
  CHECK_STR(a, "user");
  CHECK_STR(b, "");
  CHECK_INT(secret.len, 4);
  CHECK_STR((char *)secret.data, "pass");
  CHECK(!ovpn_ipc_read_str(&r, 64)); /* nothing is left */
  CHECK(!r.ok);
  free(a);
  free(b);
}

static void test_refused(void)
{
  uint8_t buf[64];
  uint16_t type;
  OvpnReader r;
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_READY);
  size_t n = ovpn_ipc_end(&w);
  CHECK_INT(n, 8);
  for (size_t i = 0; i < n; i++)
    CHECK_INT(ovpn_ipc_open(buf, i, &type, &r), OVPN_DROP_TRUNCATED);
  CHECK_INT(ovpn_ipc_open(buf, n + 1, &type, &r), OVPN_DROP_FORMAT); /* something follows */
  buf[7] = 1;
  CHECK_INT(ovpn_ipc_open(buf, n, &type, &r), OVPN_DROP_TRUNCATED);
  buf[7] = 0;
  buf[3] = 9;
  CHECK_INT(ovpn_ipc_open(buf, n, &type, &r), OVPN_DROP_FORMAT); /* version */
  buf[3] = OVPN_IPC_VERSION;
  buf[1] = 99;
  CHECK_INT(ovpn_ipc_open(buf, n, &type, &r), OVPN_DROP_OPCODE);
}

static void test_strings(void)
{
  const uint8_t with_nul[] = {0, 3, 'a', 0, 'b'}, too_long[] = {0, 3, 'a', 'b', 'c'},
                cut[] = {0, 3, 'a'};
  OvpnReader r = ovpn_reader(with_nul, sizeof with_nul);
  CHECK(!ovpn_ipc_read_str(&r, 10) && !r.ok);
  r = ovpn_reader(too_long, sizeof too_long);
  CHECK(!ovpn_ipc_read_str(&r, 2) && !r.ok);
  r = ovpn_reader(cut, sizeof cut);
  CHECK(!ovpn_ipc_read_str(&r, 10) && !r.ok);
  ovpn_auto_blob b = {0};
  ovpn_blob_set_text(&b, "old");
  r = ovpn_reader(with_nul, sizeof with_nul);
  ovpn_ipc_read_blob(&r, &b, 10);
  CHECK(!r.ok && !b.data);
}

static void test_overflow(void)
{
  uint8_t buf[12];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_NEED);
  ovpn_ipc_write_str(&w, "abc");
  CHECK_INT(ovpn_ipc_end(&w), 0);
  w = ovpn_ipc_begin(buf, 4, OVPN_IPC_NEED);
  CHECK_INT(ovpn_ipc_end(&w), 0);

  size_t big = 70000;
  char *text = malloc(big + 1);
  uint8_t *room = malloc(2 * big);
  memset(text, 'x', big);
  text[big] = 0;
  w = ovpn_ipc_begin(room, 2 * big, OVPN_IPC_LOG);
  ovpn_ipc_write_str(&w, text); /* does not fit its u16 */
  CHECK_INT(ovpn_ipc_end(&w), 0);
  text[65000] = 0;
  w = ovpn_ipc_begin(room, 2 * big, OVPN_IPC_LOG);
  ovpn_ipc_write_str(&w, text);
  ovpn_ipc_write_str(&w, text); /* nor may the datagram be larger than OVPN_IPC_MAX */
  CHECK_INT(ovpn_ipc_end(&w), 0);
  free(text);
  free(room);
}

int main(void)
{
  test_table();
  test_round_trip();
  test_refused();
  test_strings();
  test_overflow();
  TEST_END();
}
