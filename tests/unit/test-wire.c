/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bounded reader and writer: order of bytes, sticky errors, no step beyond the end. */
#include "helper/core/wire.h"
#include "tests/unit/check.h"

static void test_reader(void)
{
  const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  OvpnReader r = ovpn_reader(in, sizeof in);
  CHECK_INT(ovpn_read_u8(&r), 1);
  CHECK_INT(ovpn_read_u16(&r), 0x0203);
  CHECK_INT(ovpn_read_u8(&r), 4);
  CHECK_INT(ovpn_read_u16(&r), 0x0506);
  CHECK_INT(ovpn_reader_left(&r), 4);
  CHECK_INT(ovpn_read_u32(&r), 0x0708090a);
  CHECK(r.ok);
  CHECK_INT(ovpn_read_u8(&r), 0);
  CHECK(!r.ok);

  r = ovpn_reader(in, 9);
  CHECK_INT(ovpn_read_u64(&r), 0x0102030405060708);
  CHECK_INT(ovpn_read_u16(&r), 0); /* one byte is there, two are not */
  CHECK(!r.ok);
  CHECK_INT(ovpn_read_u8(&r), 0); /* sticky: not even the one that is there */
  uint8_t out[4] = {9, 9, 9, 9};
  ovpn_read_copy(&r, out, 4);
  CHECK_MEM(out, "\0\0\0\0", 4);

  r = ovpn_reader(in, sizeof in);
  CHECK(!ovpn_read_bytes(&r, (size_t)-1) && !r.ok);
  r = ovpn_reader(NULL, 0);
  CHECK_INT(ovpn_reader_left(&r), 0);
  CHECK_INT(ovpn_read_u8(&r), 0);
  CHECK(!r.ok);
}

static void test_writer(void)
{
  uint8_t buf[11];
  memset(buf, 0xee, sizeof buf);
  OvpnWriter w = ovpn_writer(buf, 10);
  ovpn_write_u8(&w, 1);
  ovpn_write_u16(&w, 0x0203);
  ovpn_write_u8(&w, 4);
  ovpn_write_u16(&w, 0x0506);
  ovpn_write_bytes(&w, NULL, 0);
  ovpn_write_u32(&w, 0x0708090a);
  CHECK(w.ok);
  CHECK_INT(w.len, 10);
  CHECK_MEM(buf, "\1\2\3\4\5\6\7\10\11\12\xee", 11);
  ovpn_write_u8(&w, 1);
  CHECK(!w.ok);
  CHECK_INT(buf[10], 0xee);
  w = ovpn_writer(buf, 4);
  ovpn_write_u64(&w, 1);
  ovpn_write_u8(&w, 7); /* would fit, but the writer has failed */
  CHECK(!w.ok);
  CHECK_INT(w.len, 0);
}

int main(void)
{
  test_reader();
  test_writer();
  TEST_END();
}
